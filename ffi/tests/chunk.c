/*
 * The C library without HDF5: parameters, bound, encode, decode, encoder, and everything that must be refused.
 *
 *   gcc -std=c11 -Wall -Wextra -Werror -Iffi/include ffi/tests/chunk.c -o chunk -Ltarget/release -ldarkchunk -lm -lpthread
 */
#include <darkchunk.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEIGHT = 37, WIDTH = 53, N_PIXELS = HEIGHT * WIDTH, N_FRAMES = 3 };

#define CHECK(good)                                                                             \
    do {                                                                                        \
        if (!(good)) {                                                                          \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #good, dc_last_error());    \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

static int16_t frames[N_FRAMES][N_PIXELS], dark[N_PIXELS];

static void make_frames(void) {
    unsigned state = 7;
    for (int i = 0; i < N_PIXELS; i++) dark[i] = (int16_t)(100 + i % 5);
    for (int n = 0; n < N_FRAMES; n++)
        for (int i = 0; i < N_PIXELS; i++) {
            state = state * 1664525u + 1013904223u;
            int noise = (int)(state >> 24) % 9 - 4, spot = state % 53 == 0 ? 500 + (int)(state >> 20) : 0;
            frames[n][i] = (int16_t)(dark[i] + noise + spot);
        }
}

static int stored(int n, int i, int threshold) {
    int difference = frames[n][i] - dark[i];
    return threshold && difference < threshold ? 0 : difference;
}

static dc_chunk make_chunk(uint32_t filter, const uint32_t *values, size_t n_values) {
    dc_chunk chunk = DC_CHUNK_INIT;
    chunk.element = DC_INT16;
    chunk.filter = filter;
    chunk.values = values;
    chunk.n_values = n_values;
    chunk.n_frames = N_FRAMES + 1; /* one frame is padding */
    chunk.height = HEIGHT;
    chunk.width = WIDTH;
    return chunk;
}

/* Every filter gives back what was put in, by one call and by the encoder; the stored parameters mean the same. */
static void round_trip(uint32_t filter, const uint32_t *values, size_t n_values, int threshold) {
    dc_chunk chunk = make_chunk(filter, values, n_values);
    uint32_t exact[DC_MAX_VALUES];
    size_t n_exact, most, n_bytes, again_bytes;
    CHECK(dc_cd_values(&chunk, exact, DC_MAX_VALUES, &n_exact) == DC_OK);
    CHECK(dc_max_encoded_len(&chunk, &most) == DC_OK);

    dc_processing with = DC_PROCESSING_INIT;
    with.dark = dark;
    with.threshold = (uint32_t)threshold;
    const void *pointers[N_FRAMES] = {frames[2], frames[0], frames[1]};
    const int order[N_FRAMES] = {2, 0, 1};
    uint32_t sum[N_PIXELS] = {0};
    dc_counts counts;
    unsigned char *encoded = malloc(most);
    int16_t *pixels = malloc(sizeof(int16_t) * N_PIXELS * chunk.n_frames);
    CHECK(encoded && pixels);
    CHECK(dc_encode_chunk(&chunk, &with, pointers, N_FRAMES, sum, encoded, 11, &n_bytes, &counts) == DC_BUFFER_SIZE);
    CHECK(strstr(dc_last_error(), "holds 11 bytes"));
    CHECK(dc_encode_chunk(&chunk, &with, pointers, N_FRAMES, sum, encoded, most, &n_bytes, &counts) == DC_OK);
    CHECK(n_bytes <= most);

    chunk.values = exact;
    chunk.n_values = n_exact;
    CHECK(dc_decode_chunk(&chunk, encoded, n_bytes, pixels, sizeof(int16_t) * N_PIXELS * chunk.n_frames) == DC_OK);
    uint64_t n_zeroed = 0;
    for (int i = 0; i < N_PIXELS; i++) {
        int total = 0;
        for (int n = 0; n < N_FRAMES; n++) {
            int expected = stored(order[n], i, threshold);
            CHECK(pixels[n * N_PIXELS + i] == expected);
            n_zeroed += expected == 0 && frames[order[n]][i] != dark[i];
            total += expected;
        }
        CHECK((int32_t)sum[i] == total);
        CHECK(pixels[N_FRAMES * N_PIXELS + i] == 0);
    }
    CHECK(counts.n_zeroed == n_zeroed);

    dc_encoder *encoder;
    const void *again;
    CHECK(dc_encoder_new(&chunk, &with, &encoder) == DC_OK);
    for (int n = 0; n < N_FRAMES; n++) {
        const int16_t *frame = frames[order[n]];
        const void *strips[2] = {frame, frame + 10 * WIDTH};
        const size_t strip_pixels[2] = {10 * WIDTH, N_PIXELS - 10 * WIDTH};
        CHECK(dc_encoder_push_strips(encoder, strips, strip_pixels, 2) == DC_OK);
    }
    CHECK(dc_encoder_chunk(encoder, &again, &again_bytes) == DC_OK);
    CHECK(again_bytes == n_bytes && memcmp(again, encoded, n_bytes) == 0);
    dc_encoder_free(encoder);

    /* Several at once, and one behind them. */
    const int64_t *total;
    size_t n_pixels;
    dc_counts counted;
    CHECK(dc_encoder_new(&chunk, &with, &encoder) == DC_OK);
    CHECK(dc_encoder_push_frames(encoder, pointers, 0) == DC_OK);
    CHECK(dc_encoder_push_frames(encoder, pointers, N_FRAMES - 1) == DC_OK);
    CHECK(dc_encoder_push(encoder, pointers[N_FRAMES - 1]) == DC_OK);
    CHECK(dc_encoder_chunk(encoder, &again, &again_bytes) == DC_OK);
    CHECK(again_bytes == n_bytes && memcmp(again, encoded, n_bytes) == 0);
    CHECK(dc_encoder_counts(encoder, &counted) == DC_OK && memcmp(&counted, &counts, sizeof counts) == 0);
    CHECK(dc_encoder_sum(encoder, &total, &n_pixels) == DC_OK && n_pixels == N_PIXELS);
    for (int i = 0; i < N_PIXELS; i++) CHECK(total[i] == (int32_t)sum[i]);
    dc_encoder_free(encoder);

    /* A chunk that is cut short is an error, and so is no chunk at all. */
    size_t pixel_bytes = sizeof(int16_t) * N_PIXELS * chunk.n_frames;
    CHECK(dc_decode_chunk(&chunk, encoded, n_bytes - 1, pixels, pixel_bytes) != DC_OK);
    CHECK(dc_decode_chunk(&chunk, NULL, 0, pixels, pixel_bytes) != DC_OK);
    free(encoded);
    free(pixels);
}

/* Each refusal has its status and says why; outputs stay as they were. */
static void refusals(void) {
    uint32_t threshold = 20, sum[N_PIXELS] = {0}, values[DC_MAX_VALUES];
    size_t n_bytes = 12345;
    dc_counts counts = {1, 2, 3, 4, 5};
    dc_chunk chunk = make_chunk(DC_DRLE, &threshold, 1);
    static unsigned char dst[2 * N_PIXELS * (N_FRAMES + 1) + 1000];
    uint16_t *bright = calloc(N_PIXELS, sizeof *bright);
    CHECK(bright);
    const void *pointers[1] = {bright};
    chunk.element = DC_UINT16;
    bright[3] = 1000;
    bright[77] = 40000;
    /* A bare stream cannot hold it. */
    const uint32_t bare[2] = {20, 1};
    chunk.values = bare;
    chunk.n_values = 2;
    CHECK(dc_encode_chunk(&chunk, NULL, pointers, 1, sum, dst, sizeof dst, &n_bytes, &counts) == DC_TOO_BRIGHT);
    CHECK(strstr(dc_last_error(), "77") && strstr(dc_last_error(), "40000"));
    CHECK(n_bytes == 12345 && counts.n_zeroed == 2 && sum[3] == 0);

    /* The container can, and a masked pixel is none of the bright ones. */
    chunk.values = &threshold;
    chunk.n_values = 1;
    bright[78] = 65535;
    CHECK(dc_encode_chunk(&chunk, NULL, pointers, 1, sum, dst, sizeof dst, &n_bytes, &counts) == DC_OK);
    CHECK(counts.n_bright == 2 && counts.n_sentinels == 1 && sum[77] == 40000 && sum[78] == 0);
    memset(sum, 0, sizeof sum);
    n_bytes = 12345;
    free(bright);

    chunk.element = DC_UINT32;
    CHECK(dc_max_encoded_len(&chunk, &n_bytes) == DC_UNSUPPORTED && n_bytes == 12345);
    chunk.element = 17;
    CHECK(dc_max_encoded_len(&chunk, &n_bytes) == DC_ARGUMENT);
    chunk.element = DC_INT16;
    threshold = 0;
    CHECK(dc_max_encoded_len(&chunk, &n_bytes) == DC_ARGUMENT && strstr(dc_last_error(), "threshold"));
    threshold = 20;
    CHECK(dc_cd_values(&chunk, values, 1, &n_bytes) == DC_BUFFER_SIZE && n_bytes == 12345);
    CHECK(dc_cd_values(&chunk, NULL, DC_MAX_VALUES, &n_bytes) == DC_NULL);
    CHECK(dc_cd_values(NULL, values, DC_MAX_VALUES, &n_bytes) == DC_NULL);
    CHECK(dc_max_encoded_len(&chunk, NULL) == DC_NULL);
    CHECK(dc_decode_chunk(&chunk, dst, 10, dst, 10) == DC_BUFFER_SIZE);
    chunk.filter = 305;
    CHECK(dc_max_encoded_len(&chunk, &n_bytes) == DC_UNSUPPORTED && strstr(dc_last_error(), "305"));
    chunk.filter = DC_DRLE;
    chunk.size = 8;
    CHECK(dc_max_encoded_len(&chunk, &n_bytes) == DC_ARGUMENT && strstr(dc_last_error(), "size"));
    chunk.size = sizeof chunk;
    chunk.height = (size_t)1 << 40;
    CHECK(dc_max_encoded_len(&chunk, &n_bytes) == DC_UNSUPPORTED);

    dc_encoder *encoder = NULL;
    chunk.height = HEIGHT;
    CHECK(dc_encoder_new(&chunk, NULL, NULL) == DC_NULL);
    dc_processing with = DC_PROCESSING_INIT;
    with.threshold = 21;
    CHECK(dc_encoder_new(&chunk, &with, &encoder) == DC_UNSUPPORTED && encoder == NULL);
    CHECK(dc_encoder_new(&chunk, NULL, &encoder) == DC_OK);
    const void *strip = frames[0];
    size_t short_strip = N_PIXELS - 1;
    CHECK(dc_encoder_push_strips(encoder, &strip, &short_strip, 1) == DC_BUFFER_SIZE);
    CHECK(dc_encoder_push(encoder, NULL) == DC_NULL);
    CHECK(dc_encoder_push(NULL, frames[0]) == DC_NULL);
    for (int n = 0; n < N_FRAMES + 1; n++) CHECK(dc_encoder_push(encoder, frames[0]) == DC_OK);
    CHECK(dc_encoder_push(encoder, frames[0]) == DC_UNSUPPORTED);
    dc_encoder_free(encoder);
    dc_encoder_free(NULL);

    /* Of several frames those before the one that is refused are taken. */
    bright = calloc(N_PIXELS, sizeof *bright);
    CHECK(bright);
    bright[5] = 50000;
    const void *several[3] = {frames[0], bright, frames[1]}, *none[2] = {frames[0], NULL};
    const int64_t *total;
    size_t n_frames, n_pixels;
    chunk.element = DC_UINT16;
    chunk.values = bare;
    chunk.n_values = 2;
    CHECK(dc_encoder_new(&chunk, NULL, &encoder) == DC_OK);
    CHECK(dc_encoder_push_frames(encoder, several, 3) == DC_TOO_BRIGHT && strstr(dc_last_error(), "50000"));
    CHECK(dc_encoder_n_frames(encoder, &n_frames) == DC_OK && n_frames == 1);
    CHECK(dc_encoder_sum(encoder, &total, &n_pixels) == DC_OK);
    for (int i = 0; i < N_PIXELS; i++) CHECK(total[i] == (frames[0][i] < 20 ? 0 : frames[0][i]));
    CHECK(dc_encoder_push_frames(encoder, none, 2) == DC_NULL);
    CHECK(dc_encoder_push_frames(encoder, NULL, 2) == DC_NULL);
    CHECK(dc_encoder_push_frames(NULL, several, 1) == DC_NULL);
    CHECK(dc_encoder_n_frames(encoder, &n_frames) == DC_OK && n_frames == 1);
    several[1] = frames[2];
    CHECK(dc_encoder_push_frames(encoder, several, 3) == DC_OK);
    CHECK(dc_encoder_push_frames(encoder, several, 1) == DC_UNSUPPORTED);
    dc_encoder_free(encoder);
    free(bright);
}

struct compression {
    uint32_t filter;
    const uint32_t *values;
    size_t n_values;
};

/* A chunk that is large enough to be shared: the same bytes and pixels with any number of threads. */
static void *threads(void *with_this) {
    enum { SIDE = 1024, N_ALL = 4 * SIDE * SIDE };
    const struct compression *compression = with_this;
    dc_chunk chunk = make_chunk(compression->filter, compression->values, compression->n_values);
    chunk.n_frames = 4;
    chunk.height = chunk.width = SIDE;
    size_t most, n_bytes, again_bytes;
    CHECK(dc_max_encoded_len(&chunk, &most) == DC_OK);
    unsigned char *encoded = malloc(most), *again = malloc(most);
    int16_t *pixels = malloc(sizeof(int16_t) * N_ALL), *decoded = malloc(sizeof(int16_t) * N_ALL);
    CHECK(encoded && again && pixels && decoded);
    for (int i = 0; i < N_ALL; i++) pixels[i] = (int16_t)(i % 61 ? 0 : 20 + (i >> 8) % 30000);
    const void *pointers[4];
    for (int n = 0; n < 4; n++) pointers[n] = pixels + (size_t)n * SIDE * SIDE;
    dc_processing with = DC_PROCESSING_INIT;
    CHECK(dc_encode_chunk(&chunk, &with, pointers, 4, NULL, encoded, most, &n_bytes, NULL) == DC_OK);
    for (with.n_threads = 0; with.n_threads <= 3; with.n_threads++) {
        CHECK(dc_encode_chunk(&chunk, &with, pointers, 4, NULL, again, most, &again_bytes, NULL) == DC_OK);
        CHECK(again_bytes == n_bytes && memcmp(again, encoded, n_bytes) == 0);
        dc_encoder *encoder;
        const void *bytes;
        CHECK(dc_encoder_new(&chunk, &with, &encoder) == DC_OK);
        for (int n = 0; n < 4; n++) CHECK(dc_encoder_push(encoder, pointers[n]) == DC_OK);
        CHECK(dc_encoder_chunk(encoder, &bytes, &again_bytes) == DC_OK);
        CHECK(again_bytes == n_bytes && memcmp(bytes, encoded, n_bytes) == 0);
        dc_encoder_free(encoder);
        memset(decoded, 0xee, sizeof(int16_t) * N_ALL);
        CHECK(dc_decode_chunk_with(&chunk, with.n_threads, encoded, n_bytes, decoded, sizeof(int16_t) * N_ALL) == DC_OK);
        CHECK(memcmp(decoded, pixels, sizeof(int16_t) * N_ALL) == 0);
        CHECK(dc_decode_chunk_with(&chunk, with.n_threads, encoded, n_bytes - 1, decoded, sizeof(int16_t) * N_ALL) != DC_OK);
    }
    free(encoded);
    free(again);
    free(pixels);
    free(decoded);
    return NULL;
}

/* Three threads of the program at once, this one among them, each of which has others work for it. */
static void callers(struct compression compressions[3]) {
    pthread_t first, second;
    CHECK(pthread_create(&first, NULL, threads, &compressions[0]) == 0);
    CHECK(pthread_create(&second, NULL, threads, &compressions[1]) == 0);
    threads(&compressions[2]);
    CHECK(pthread_join(first, NULL) == 0 && pthread_join(second, NULL) == 0);
}

static void *other_thread(void *nothing) {
    CHECK(strcmp(dc_last_error(), "") == 0);
    CHECK(dc_max_encoded_len(NULL, NULL) == DC_NULL);
    return nothing;
}

int main(void) {
    const uint32_t threshold = 20, bitshuffle[3] = {0, 2, 0}, zstd[3] = {0, 3, 3}, level = 3;
    const uint32_t blosc[7] = {0, 0, 0, 0, 5, 1, 1};
    make_frames();
    round_trip(DC_NO_FILTER, NULL, 0, 0);
    round_trip(DC_DRLE, &threshold, 1, 20);
    round_trip(DC_BITSHUFFLE, bitshuffle, 2, 0);
    round_trip(DC_BITSHUFFLE, zstd, 3, 20);
    round_trip(DC_BLOSC, blosc, 7, 20);
    round_trip(DC_LZ4, NULL, 0, 0);
    round_trip(DC_ZSTD, &level, 1, 20);
    struct compression shared[3] = {{DC_DRLE, &threshold, 1}, {DC_BITSHUFFLE, bitshuffle, 2}, {DC_BLOSC, blosc, 7}};
    callers(shared);
    refusals();

    /* The message belongs to the thread. */
    char before[256];
    snprintf(before, sizeof before, "%s", dc_last_error());
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(strncmp(before, dc_last_error(), sizeof before - 1) == 0);
    printf("darkchunk %s, %s: all good\n", dc_version(), dc_level());
    return 0;
}
