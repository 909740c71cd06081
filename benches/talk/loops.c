/*
 * The compiled loops of the DRLE talk's two programs, as Numba would make them: one pass over the pixels of an image.
 * Built at run time with -O3 -march=native.
 */

#include <stddef.h>
#include <stdint.h>

/* (a) before an HDF5 filter: dark image, threshold and sum; the corrected image goes to `out`. */
void correct(const int16_t *image, const int16_t *dark, int16_t threshold, uint32_t *restrict sum,
             int16_t *restrict out, size_t n_pixels)
{
    for (size_t i = 0; i < n_pixels; i++) {
        int16_t pixel = (int16_t)(image[i] - dark[i]);
        pixel = pixel < threshold ? 0 : pixel;
        sum[i] += (uint32_t)pixel;
        out[i] = pixel;
    }
}

/* A run of dark pixels as its tokens: the longest first, a single pixel as 0. */
static size_t put_run(int16_t *tokens, size_t n_tokens, size_t run)
{
    for (; run > 32768; run -= 32768)
        tokens[n_tokens++] = -32768;
    if (run > 0)
        tokens[n_tokens++] = run == 1 ? 0 : (int16_t)-(int32_t)run;
    return n_tokens;
}

/* (b) in the application layer: the same, and DRLE instead of the image. Returns the number of tokens. */
size_t encode(const int16_t *image, const int16_t *dark, int16_t threshold, uint32_t *restrict sum,
              int16_t *restrict tokens, size_t n_pixels)
{
    size_t n_tokens = 0, run = 0;
    for (size_t i = 0; i < n_pixels; i++) {
        int16_t pixel = (int16_t)(image[i] - dark[i]);
        if (pixel < threshold) {
            run++;
            continue;
        }
        n_tokens = put_run(tokens, n_tokens, run);
        run = 0;
        tokens[n_tokens++] = pixel;
        sum[i] += (uint32_t)pixel;
    }
    return put_run(tokens, n_tokens, run);
}

/* Decodes to exactly `n_pixels` pixels. Returns the tokens read, or 0 where the stream does not fit. */
size_t decode(const int16_t *tokens, size_t n_tokens, int16_t *pixels, size_t n_pixels)
{
    size_t at = 0, n = 0;
    for (; at < n_tokens && n < n_pixels; at++) {
        if (tokens[at] >= 0) {
            pixels[n++] = tokens[at];
            continue;
        }
        size_t run = (size_t)-(int32_t)tokens[at];
        if (run > n_pixels - n)
            return 0;
        for (size_t i = 0; i < run; i++)
            pixels[n++] = 0;
    }
    return n == n_pixels ? at : 0;
}
