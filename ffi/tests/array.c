/*
 * Chunks of any shape and element type: parameters, bound, encode, decode, and what must be refused.
 *
 *   gcc -std=c11 -Wall -Wextra -Werror -Iffi/include ffi/tests/array.c -o array -Ltarget/release -ldarkchunk -lm -lpthread
 */
#include <darkchunk.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(good)                                                                             \
    do {                                                                                        \
        if (!(good)) {                                                                          \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #good, dc_last_error());    \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

static const uint64_t dims[4] = {2, 3, 5, 41};
enum { N_ELEMENTS = 2 * 3 * 5 * 41, MOST_BYTES = 16 * N_ELEMENTS };

static dc_array make_array(uint32_t filter, const uint32_t *values, size_t n_values, size_t element_bytes) {
    dc_array array = DC_ARRAY_INIT;
    array.filter = filter;
    array.values = values;
    array.n_values = n_values;
    array.element_bytes = array.base_bytes = element_bytes;
    array.dims = dims;
    array.n_dims = 4;
    return array;
}

/* What was put in comes back, by the stored parameters; a chunk that is cut, and a buffer too small, are errors. */
static void round_trip(dc_array array, const unsigned char *pixels) {
    uint32_t stored[DC_MAX_VALUES];
    size_t n_stored, most, n_bytes, all = N_ELEMENTS * array.element_bytes;
    CHECK(dc_array_cd_values(&array, stored, DC_MAX_VALUES, &n_stored) == DC_OK);
    CHECK(n_stored == 0 || dc_array_cd_values(&array, stored, n_stored - 1, &n_stored) == DC_BUFFER_SIZE);
    CHECK(dc_array_max_encoded_len(&array, &most) == DC_OK);
    unsigned char *encoded = malloc(most), *decoded = malloc(all);
    CHECK(encoded && decoded);
    CHECK(dc_array_encode(&array, pixels, all, encoded, 3, &n_bytes) == DC_BUFFER_SIZE);
    CHECK(dc_array_encode(&array, pixels, all - 1, encoded, most, &n_bytes) == DC_BUFFER_SIZE);
    CHECK(dc_array_encode(&array, pixels, all, encoded, most, &n_bytes) == DC_OK && n_bytes <= most);
    array.values = stored;
    array.n_values = n_stored;
    CHECK(dc_array_decode(&array, encoded, n_bytes, decoded, all) == DC_OK);
    CHECK(memcmp(decoded, pixels, all) == 0);
    CHECK(dc_array_decode(&array, encoded, n_bytes / 2, decoded, all) != DC_OK);
    CHECK(dc_array_decode(&array, encoded, n_bytes, decoded, all - 1) == DC_BUFFER_SIZE);
    CHECK(dc_array_decode(&array, NULL, n_bytes, decoded, all) == DC_NULL);
    CHECK(dc_array_decode(&array, encoded, n_bytes, NULL, all) == DC_NULL);
    free(encoded);
    free(decoded);
}

static void refusals(void) {
    const uint32_t threshold = 1;
    const uint64_t huge[2] = {1u << 20, 1u << 20}, zero[2] = {3, 0};
    size_t n_bytes;
    CHECK(dc_array_max_encoded_len(NULL, &n_bytes) == DC_NULL);
    dc_array array = make_array(DC_LZ4, NULL, 0, 8);
    CHECK(dc_array_max_encoded_len(&array, NULL) == DC_NULL);
    array.size = 7;
    CHECK(dc_array_max_encoded_len(&array, &n_bytes) == DC_ARGUMENT && strstr(dc_last_error(), "dc_array.size"));
    array = make_array(DC_LZ4, NULL, 0, 8);
    array.n_dims = 2;
    array.dims = huge;
    CHECK(dc_array_max_encoded_len(&array, &n_bytes) == DC_UNSUPPORTED);
    array.dims = zero;
    CHECK(dc_array_max_encoded_len(&array, &n_bytes) == DC_ARGUMENT);
    array.n_dims = 0;
    CHECK(dc_array_max_encoded_len(&array, &n_bytes) == DC_ARGUMENT);
    array = make_array(DC_LZ4, NULL, 0, 0);
    CHECK(dc_array_max_encoded_len(&array, &n_bytes) == DC_ARGUMENT);
    array = make_array(DC_LZ4, NULL, 0, 8);
    array.number = 3;
    CHECK(dc_array_max_encoded_len(&array, &n_bytes) == DC_ARGUMENT);
    array = make_array(DC_DRLE, &threshold, 1, 2);
    CHECK(dc_array_max_encoded_len(&array, &n_bytes) == DC_UNSUPPORTED); /* two bytes that are no integer */
    array = make_array(DC_NO_FILTER, NULL, 0, 2);
    CHECK(dc_array_max_encoded_len(&array, &n_bytes) == DC_UNSUPPORTED);
}

/* A bound of float32: a double in two halves. */
static void floats_within(void) {
    enum { N = 1000 };
    const double most = 0.125;
    uint64_t bits;
    memcpy(&bits, &most, sizeof bits);
    const uint32_t values[3] = {3, (uint32_t)bits, (uint32_t)(bits >> 32)};
    const uint64_t dims[1] = {N};
    const uint16_t one = 1;
    static float numbers[N], decoded[N];
    static unsigned char encoded[2 * sizeof numbers];
    for (int i = 0; i < N; i++) numbers[i] = (float)(i * 37 % 100) / 7;
    dc_array array = make_array(DC_BOUNDED, values, 3, 4);
    array.number = 3;
    array.is_big_endian = *(const unsigned char *)&one == 0;
    array.dims = dims;
    array.n_dims = 1;
    size_t n_bytes;
    CHECK(dc_array_encode(&array, numbers, sizeof numbers, encoded, sizeof encoded, &n_bytes) == DC_OK);
    CHECK(n_bytes < sizeof numbers / 3);
    CHECK(dc_array_decode(&array, encoded, n_bytes, decoded, sizeof decoded) == DC_OK);
    for (int i = 0; i < N; i++) CHECK(decoded[i] - numbers[i] <= most && numbers[i] - decoded[i] <= most);
}

int main(void) {
    const uint32_t threshold = 1, bitshuffle[3] = {0, 3, 3}, level = 3, blosc[7] = {0, 0, 0, 0, 5, 1, 1};
    /* Bytes of which few are set, positive numbers in either byte order. */
    static unsigned char pixels[MOST_BYTES];
    for (size_t i = 0; i < MOST_BYTES; i += 34) pixels[i] = pixels[i + 1] = (unsigned char)(1 + i % 100);
    const size_t sizes[] = {1, 2, 3, 4, 8, 16};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        round_trip(make_array(DC_BITSHUFFLE, bitshuffle, 3, sizes[i]), pixels);
        round_trip(make_array(DC_BLOSC, blosc, 7, sizes[i]), pixels);
        round_trip(make_array(DC_LZ4, NULL, 0, sizes[i]), pixels);
        round_trip(make_array(DC_ZSTD, &level, 1, sizes[i]), pixels);
    }
    for (int is_big_endian = 0; is_big_endian < 2; is_big_endian++) {
        dc_array array = make_array(DC_DRLE, &threshold, 1, 2);
        array.number = 2;
        array.is_big_endian = is_big_endian;
        round_trip(array, pixels);
    }
    for (int is_big_endian = 0; is_big_endian < 2; is_big_endian++) {
        dc_array array = make_array(DC_BOUNDED, NULL, 0, 4);
        array.number = 3;
        array.is_big_endian = is_big_endian;
        round_trip(array, pixels);
    }
    floats_within();
    dc_array shared = make_array(DC_BLOSC, blosc, 7, 12); /* an array type of three numbers of four bytes */
    shared.base_bytes = 4;
    shared.n_threads = 3;
    round_trip(shared, pixels);
    refusals();
    printf("any shape and type: all good\n");
    return 0;
}
