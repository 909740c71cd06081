/*
 * The reader from C, beside the HDF5 of the program's own headers.
 *
 *   gcc -std=c11 -Wall -Wextra -Werror -I/usr/include/hdf5/serial -Iffi/include ffi/tests/reader.c -o reader \
 *       -L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5 -Ltarget/release -ldarkchunk -lm -lpthread
 *   ./reader out.h5
 */
#include <hdf5.h>

#include <darkchunk.h>

#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 9, HEIGHT = 14, WIDTH = 10, N = FRAMES * HEIGHT * WIDTH };

#define CHECK(good)                                                                             \
    do {                                                                                        \
        if (!(good)) {                                                                          \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #good, dc_last_error());    \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

static const uint64_t ZERO[3] = {0, 0, 0}, SHAPE[3] = {FRAMES, HEIGHT, WIDTH};
static uint16_t pixels[N];

/* The text of the last failure has this in it. */
static int says(const char *words) {
    return strstr(dc_last_error(), words) != NULL;
}

/* (9, 14, 10) uint16 in chunks of (2, 14, 4), gzip after shuffle; of the last chunk along the frames nothing is stored. */
static hid_t make(hid_t file, const char *name) {
    hsize_t dims[3] = {FRAMES, HEIGHT, WIDTH}, most[3] = {H5S_UNLIMITED, HEIGHT, WIDTH}, chunk[3] = {2, HEIGHT, 4};
    hsize_t start[3] = {0, 0, 0}, count[3] = {FRAMES - 1, HEIGHT, WIDTH};
    uint16_t fill = 77;
    hid_t space = H5Screate_simple(3, dims, most), memory = H5Screate_simple(3, count, NULL);
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    CHECK(H5Pset_chunk(properties, 3, chunk) >= 0 && H5Pset_shuffle(properties) >= 0 && H5Pset_deflate(properties, 4) >= 0);
    CHECK(H5Pset_fill_value(properties, H5T_NATIVE_UINT16, &fill) >= 0);
    hid_t dataset = H5Dcreate2(file, name, H5T_NATIVE_UINT16, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    CHECK(dataset >= 0 && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0);
    for (int i = 0; i < N; i++) pixels[i] = i < (FRAMES - 1) * HEIGHT * WIDTH ? (uint16_t)(i % 7 ? 0 : i * 13) : fill;
    CHECK(H5Dwrite(dataset, H5T_NATIVE_UINT16, memory, space, H5P_DEFAULT, pixels) >= 0);
    H5Sclose(space);
    H5Sclose(memory);
    H5Pclose(properties);
    return dataset;
}

static dc_reader *open_reader(hid_t dataset, dc_reader_options options) {
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_reader *reader = NULL;
    CHECK(dc_reader_open(&hdf5, dataset, &options, &reader) == DC_OK);
    return reader;
}

static void check_info(const dc_reader *reader, int way) {
    dc_reader_info info = {.size = sizeof info};
    CHECK(dc_reader_info_of(reader, &info) == DC_OK && info.size == sizeof info);
    CHECK(info.way == way && info.rank == 3 && memcmp(info.shape, SHAPE, sizeof SHAPE) == 0 && info.shape[3] == 0);
    CHECK(info.chunk[0] == 2 && info.chunk[1] == HEIGHT && info.chunk[2] == 4 && info.element_bytes == 2);
    CHECK(info.element == DC_UINT16 && info.is_big_endian == 0);
    CHECK(info.n_filters == 2 && info.filters[0] == H5Z_FILTER_SHUFFLE && info.filters[1] == H5Z_FILTER_DEFLATE);
    CHECK(info.n_chunks == 12 && info.stored_bytes > 12 * 10);
    CHECK((dc_reader_reason(reader)[0] == 0) == (way == DC_WAY_DIRECT));
    info.size--;
    CHECK(dc_reader_info_of(reader, &info) == DC_ARGUMENT && says("sizeof"));
}

/* Every second column backwards, each third frame, in pieces of no time, to memory with gaps. */
static void check_strides(const dc_reader *reader) {
    uint64_t start[3] = {1, 2, 1}, count[3] = {3, 10, 5}, step[3] = {3, 1, 2};
    enum { ROW = 9, FRAME = ROW * 10 + 3 };
    static uint16_t memory[FRAME * 3];
    int64_t strides[3] = {2 * FRAME, 2 * ROW, -2};
    memset(memory, 0xEE, sizeof memory);
    dc_read *read;
    CHECK(dc_read_begin(reader, start, count, step, memory + 4, strides, &read) == DC_OK);
    int is_done = 0, n_steps = 0;
    while (!is_done) {
        CHECK(dc_read_step(read, 0, &is_done) == DC_OK);
        n_steps++;
    }
    CHECK(n_steps >= 1 && n_steps <= 9 && dc_read_step(read, 1, &is_done) == DC_OK && is_done);
    dc_read_free(read);
    for (int f = 0; f < 3; f++)
        for (int y = 0; y < 10; y++)
            for (int x = 0; x < 5; x++) {
                uint16_t *found = &memory[f * FRAME + y * ROW + 4 - x];
                CHECK(*found == pixels[((1 + 3 * f) * HEIGHT + 2 + y) * WIDTH + 1 + 2 * x]);
                *found = 0xEEEE;
            }
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) CHECK(memory[i] == 0xEEEE);
}

static void *read_often(void *reader) {
    uint16_t *found = malloc(sizeof pixels);
    for (int i = 0; i < 50; i++) {
        memset(found, 0, sizeof pixels);
        CHECK(dc_reader_read(reader, ZERO, SHAPE, NULL, found, NULL) == DC_OK);
        CHECK(memcmp(found, pixels, sizeof pixels) == 0);
    }
    free(found);
    return NULL;
}

static void check_threads(dc_reader *reader) {
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, read_often, reader) == 0);
    for (int i = 0; i < 3; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

/* A refresh is done, or refused, whatever other threads do. */
static void check_refresh_beside_reads(dc_reader *reader) {
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, read_often, reader) == 0);
    for (int i = 0; i < 2000; i++) {
        dc_status status = dc_reader_refresh(reader);
        CHECK(status == DC_OK || (status == DC_ARGUMENT && says("has not ended")));
    }
    for (int i = 0; i < 3; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(dc_reader_refresh(reader) == DC_OK);
}

static void check_chunks(const dc_reader *reader, const char *path) {
    uint64_t offset[3] = {2, 0, 4}, hole[3] = {8, 0, 0}, inside[3] = {1, 0, 0}, address, n_bytes;
    uint32_t mask = 9, shuffle = 2, level = 4;
    CHECK(dc_reader_chunk(reader, offset, &address, &n_bytes, &mask) == DC_OK && mask == 0 && n_bytes > 0);
    unsigned char *stored = malloc(n_bytes);
    FILE *file = fopen(path, "rb");
    CHECK(file && fseek(file, (long)address, SEEK_SET) == 0 && fread(stored, 1, n_bytes, file) == n_bytes);
    fclose(file);
    uint16_t chunk[2 * HEIGHT * 4];
    dc_filter filters[2] = {{H5Z_FILTER_SHUFFLE, &shuffle, 1}, {H5Z_FILTER_DEFLATE, &level, 1}};
    CHECK(dc_decode_pipeline(filters, 2, 0, stored, n_bytes, chunk, sizeof chunk) == DC_OK);
    for (int y = 0; y < HEIGHT; y++)
        CHECK(memcmp(&chunk[y * 4], &pixels[(2 * HEIGHT + y) * WIDTH + 4], 4 * sizeof *chunk) == 0);
    CHECK(dc_decode_pipeline(filters, 2, 0, stored, n_bytes, chunk, sizeof chunk - 2) == DC_WRONG_SIZE);
    CHECK(dc_decode_pipeline(filters, 2, 0, stored, n_bytes / 2, chunk, sizeof chunk) != DC_OK);
    CHECK(dc_decode_pipeline(filters, 2, 3, chunk, sizeof chunk, chunk, 0) == DC_WRONG_SIZE);
    CHECK(dc_decode_pipeline(NULL, 2, 0, stored, n_bytes, chunk, sizeof chunk) == DC_NULL);
    filters[1].id = 307;
    CHECK(dc_decode_pipeline(filters, 2, 0, stored, n_bytes, chunk, sizeof chunk) == DC_UNSUPPORTED && says("307"));
    free(stored);
    dc_reader_statistics statistics = {sizeof statistics, 0, 0, 0, 0};
    CHECK(dc_reader_statistics_of(reader, &statistics) == DC_OK && statistics.whole_chunks > 0);
    CHECK(statistics.read_bytes > 0 && statistics.partial_chunks == 0);
    statistics.size = 3;
    CHECK(dc_reader_statistics_of(reader, &statistics) == DC_ARGUMENT);
    CHECK(dc_reader_chunk(reader, hole, NULL, &n_bytes, NULL) == DC_OK && n_bytes == 0);
    CHECK(dc_reader_chunk(reader, inside, &address, &n_bytes, &mask) == DC_ARGUMENT);
}

static void check_missing(hid_t dataset, int only_hdf5) {
    dc_reader_options options = {sizeof options, 2, DC_MISSING_ERROR, only_hdf5};
    dc_reader *reader = open_reader(dataset, options);
    static uint16_t found[N];
    static uint8_t missing[N];
    CHECK(dc_reader_read(reader, ZERO, SHAPE, NULL, found, NULL) == DC_MISSING && says("[8, 0, 0]"));
    uint64_t count[3] = {FRAMES - 1, HEIGHT, WIDTH};
    CHECK(dc_reader_read(reader, ZERO, count, NULL, found, NULL) == DC_OK);
    CHECK(memcmp(found, pixels, 2 * (FRAMES - 1) * HEIGHT * WIDTH) == 0);
    memset(missing, 9, sizeof missing);
    CHECK(dc_reader_missing(reader, ZERO, SHAPE, NULL, missing) == DC_OK);
    for (int i = 0; i < N; i++) CHECK(missing[i] == (i >= (FRAMES - 1) * HEIGHT * WIDTH));
    dc_reader_free(reader);
}

static void check_arguments(dc_reader *reader, hid_t dataset, hid_t file) {
    static uint16_t found[N];
    uint64_t many[3] = {FRAMES + 1, HEIGHT, WIDTH}, none[3] = {1, 0, 1};
    int64_t same[3] = {0, 2 * WIDTH, 2};
    int is_done;
    dc_read *read = NULL;
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_reader *other = NULL;
    CHECK(dc_reader_read(reader, ZERO, many, NULL, found, NULL) == DC_ARGUMENT && says("axis 0"));
    CHECK(dc_reader_read(reader, ZERO, SHAPE, none, found, NULL) == DC_ARGUMENT && says("steps of 0"));
    CHECK(dc_reader_read(reader, ZERO, SHAPE, NULL, found, same) == DC_ARGUMENT && says("overlap"));
    CHECK(dc_reader_read(reader, ZERO, SHAPE, NULL, NULL, NULL) == DC_NULL && says("dst"));
    CHECK(dc_reader_read(reader, NULL, SHAPE, NULL, found, NULL) == DC_NULL && says("start"));
    CHECK(dc_reader_read(NULL, ZERO, SHAPE, NULL, found, NULL) == DC_NULL && says("reader"));
    CHECK(dc_reader_read(reader, ZERO, none, NULL, found, NULL) == DC_OK);
    CHECK(dc_read_begin(reader, ZERO, SHAPE, NULL, found, NULL, NULL) == DC_NULL);
    CHECK(dc_read_begin(reader, ZERO, SHAPE, NULL, found, NULL, &read) == DC_OK);
    CHECK(dc_read_step(read, -1, &is_done) == DC_ARGUMENT && dc_read_step(read, NAN, &is_done) == DC_ARGUMENT);
    CHECK(dc_reader_refresh(reader) == DC_ARGUMENT && says("has not ended"));
    CHECK(dc_read_step(read, INFINITY, &is_done) == DC_OK && is_done);
    dc_read_free(read);
    dc_read_free(NULL);
    dc_reader_free(NULL);
    CHECK(dc_reader_open(&hdf5, file, NULL, &other) == DC_UNSUPPORTED && other == NULL);
    CHECK(dc_reader_open(&hdf5, dataset, NULL, NULL) == DC_NULL && dc_reader_open(NULL, dataset, NULL, &other) == DC_NULL);
    dc_reader_options options = {sizeof options, 0, 7, 0};
    CHECK(dc_reader_open(&hdf5, dataset, &options, &other) == DC_ARGUMENT && says("missing"));
    /* What a program was compiled with that knows less of the table: it works, but for what it lacks. */
    hdf5.size = offsetof(dc_hdf5, fn_H5Pget_fill_time);
    CHECK(dc_reader_open(&hdf5, dataset, NULL, &other) == DC_UNSUPPORTED && says("H5Pget_fill_time"));
    hdf5.size = offsetof(dc_hdf5, fn_H5Dchunk_iter);
    CHECK(dc_reader_open(&hdf5, dataset, NULL, &other) == DC_OK);
    dc_reader_free(other);
}

/* Of gzip there are no blocks. */
static void check_index(const dc_reader *reader, const char *path) {
    char name[4096];
    snprintf(name, sizeof name, "%s.blocks", path);
    dc_index *index = NULL;
    int is_done = 0;
    uint64_t n_chunks = 7;
    CHECK(dc_index_begin(reader, NULL, &index) == DC_NULL && dc_index_begin(NULL, name, &index) == DC_NULL);
    CHECK(dc_index_begin(reader, "/no/folder/index", &index) == DC_UNSUPPORTED && says("/no/folder/index"));
    CHECK(dc_index_begin(reader, name, &index) == DC_OK);
    CHECK(dc_index_step(index, -1, &is_done) == DC_ARGUMENT && dc_index_step(index, 1, NULL) == DC_NULL);
    CHECK(dc_index_step(index, INFINITY, &is_done) == DC_UNSUPPORTED && says("blocks"));
    dc_index_free(index);
    dc_index_free(NULL);
    CHECK(dc_reader_load_index(reader, name, &n_chunks) == DC_UNSUPPORTED && says(name) && n_chunks == 7);
    CHECK(dc_reader_load_index(reader, path, &n_chunks) == DC_UNSUPPORTED && says("no index"));
}

/* What is asked of frames and is no image, of all that are stored. */
static void check_frames(const dc_reader *reader) {
    enum { FRAME = HEIGHT * WIDTH };
    uint64_t n_stored = 0;
    CHECK(dc_reader_n_stored(reader, &n_stored) == DC_OK && n_stored == FRAMES - 1);
    int64_t ignore = pixels[3];
    dc_sparse *sparse = NULL;
    CHECK(dc_reader_sparse(reader, 1, n_stored, &ignore, &sparse) == DC_OK);
    const uint64_t *offsets;
    const uint32_t *indices;
    const void *values;
    size_t n_pixels, k = 0;
    CHECK(dc_sparse_get(sparse, &offsets, &indices, &values, &n_pixels) == DC_OK && offsets[0] == 0);
    static int64_t sum[FRAME], max[FRAME], expected[FRAME], sums[FRAMES * 2];
    static uint64_t count[FRAME], counts[FRAMES * 2];
    static double squares[FRAMES * 2];
    static uint32_t labels[FRAME];
    for (int p = 0; p < FRAME; p++) labels[p] = p % 3;
    CHECK(dc_reader_regions(reader, 1, n_stored, &ignore, labels, 2, sums, squares, counts) == DC_OK);
    for (uint64_t f = 1; f < n_stored; f++) {
        int64_t of_label = 0;
        uint64_t n_of_label = 0;
        for (uint32_t p = 0; p < FRAME; p++) {
            int64_t value = pixels[f * FRAME + p];
            if (value == ignore) continue;
            expected[p] += value;
            of_label += p % 3 == 1 ? value : 0;
            n_of_label += p % 3 == 1;
            if (value != 0) {
                CHECK(indices[k] == p && ((const uint16_t *)values)[k] == value);
                k++;
            }
        }
        CHECK(offsets[f] == k && sums[(f - 1) * 2 + 1] == of_label && counts[(f - 1) * 2 + 1] == n_of_label);
    }
    CHECK(n_pixels == k);
    CHECK(dc_reader_reduce(reader, 1, n_stored, &ignore, sum, max, count) == DC_OK && !memcmp(sum, expected, sizeof sum));
    CHECK(dc_reader_reduce(reader, 1, n_stored, NULL, NULL, NULL, NULL) == DC_OK);
    static int64_t again[FRAME], greatest[FRAME];
    static uint64_t times[FRAME];
    dc_reduction *reduction = NULL;
    CHECK(dc_reduction_new(reader, &ignore, &reduction) == DC_OK);
    for (uint64_t next = 1; next < n_stored;) {
        uint64_t before = next;
        CHECK(dc_reduction_add(reduction, reader, next, n_stored, 0, &next) == DC_OK && next > before);
    }
    CHECK(dc_reduction_get(reduction, again, greatest, times) == DC_OK && !memcmp(again, sum, sizeof sum));
    CHECK(!memcmp(greatest, max, sizeof max) && !memcmp(times, count, sizeof count));
    uint64_t next = 7;
    CHECK(dc_reduction_add(reduction, reader, 1, FRAMES + 1, 1, &next) == DC_ARGUMENT && says("frames") && next == 7);
    CHECK(dc_reduction_add(reduction, reader, 1, 2, -1, &next) == DC_ARGUMENT && says("seconds") && next == 7);
    CHECK(dc_reduction_get(reduction, NULL, NULL, NULL) == DC_OK);
    dc_reduction_free(reduction);
    dc_reduction_free(NULL);
    uint64_t starts[3] = {0, 2, 3};
    uint32_t of_bins[3] = {0, 7, 7};
    float weights[3] = {1, 0.25f, 0.75f};
    double weighted[FRAMES * 2], weight[FRAMES * 2];
    dc_bins *bins = NULL;
    CHECK(dc_bins_new(FRAME, 2, starts, of_bins, weights, &bins) == DC_OK);
    CHECK(dc_reader_integrate(reader, 1, n_stored, NULL, bins, weighted, NULL, weight) == DC_OK);
    for (uint64_t f = 1; f < n_stored; f++) {
        double first = pixels[f * FRAME], other = pixels[f * FRAME + 7];
        CHECK(weighted[(f - 1) * 2] == first + 0.25 * other && weighted[(f - 1) * 2 + 1] == 0.75 * other);
        CHECK(weight[(f - 1) * 2] == 1.25 && weight[(f - 1) * 2 + 1] == 0.75);
    }
    dc_bins_free(bins);
    dc_bins_free(NULL);
    CHECK(dc_bins_new(7, 2, starts, of_bins, weights, &bins) == DC_ARGUMENT && says("pixel"));
    CHECK(dc_bins_new(FRAME, 2, NULL, of_bins, weights, &bins) == DC_NULL);
    dc_sparse_free(sparse);
    dc_sparse_free(NULL);
    CHECK(dc_reader_sparse(reader, 1, FRAMES + 1, NULL, &sparse) == DC_ARGUMENT && says("frames"));
    CHECK(dc_reader_regions(reader, 0, 1, NULL, NULL, 2, sums, squares, counts) == DC_NULL);
}

/* A dataset that grows in a file which this process writes. */
static void check_refresh(hid_t file) {
    hid_t dataset = make(file, "grows");
    dc_reader *reader = open_reader(dataset, (dc_reader_options)DC_READER_OPTIONS_INIT);
    check_info(reader, DC_WAY_HDF5);
    hsize_t more[3] = {FRAMES + 3, HEIGHT, WIDTH};
    CHECK(H5Dset_extent(dataset, more) >= 0 && dc_reader_refresh(reader) == DC_OK);
    dc_reader_info info = {.size = sizeof info};
    CHECK(dc_reader_info_of(reader, &info) == DC_OK && info.shape[0] == FRAMES + 3);
    static uint16_t found[HEIGHT * WIDTH];
    uint64_t start[3] = {FRAMES + 2, 0, 0}, count[3] = {1, HEIGHT, WIDTH};
    CHECK(dc_reader_read(reader, start, count, NULL, found, NULL) == DC_OK && found[0] == 77);
    hid_t twice = H5Dopen2(file, "grows", H5P_DEFAULT);
    CHECK(dc_reader_refresh(reader) == DC_UNSUPPORTED && says("more than once"));
    CHECK(H5Dclose(twice) >= 0 && dc_reader_refresh(reader) == DC_OK);
    dc_reader_free(reader);
    H5Dclose(dataset);
}

/* A filter that the program registers needs no plugin. */
static void check_class(hid_t file) {
    CHECK(dc_filter_class(1) == NULL);
    CHECK(H5PLset_loading_state(0) >= 0);
    CHECK(H5Zregister(dc_filter_class(DC_LZ4)) >= 0);
    hsize_t dims[2] = {4, 1000};
    static uint16_t written[4][1000], read[4][1000];
    for (int i = 0; i < 4000; i++) written[i / 1000][i % 1000] = (uint16_t)(i % 50);
    hid_t space = H5Screate_simple(2, dims, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
    CHECK(H5Pset_chunk(properties, 2, dims) >= 0);
    CHECK(H5Pset_filter(properties, DC_LZ4, H5Z_FLAG_MANDATORY, 0, NULL) >= 0);
    hid_t dataset = H5Dcreate2(file, "registered", H5T_NATIVE_UINT16, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    CHECK(dataset >= 0);
    CHECK(H5Dwrite(dataset, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, written) >= 0);
    CHECK(H5Fflush(file, H5F_SCOPE_LOCAL) >= 0 && H5Dget_storage_size(dataset) < sizeof written / 2);
    H5Dclose(dataset);
    dataset = H5Dopen2(file, "registered", H5P_DEFAULT);
    CHECK(H5Dread(dataset, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, read) >= 0);
    CHECK(memcmp(read, written, sizeof written) == 0);
    H5Dclose(dataset), H5Pclose(properties), H5Sclose(space);
    CHECK(H5Zunregister(DC_LZ4) >= 0);
    CHECK(H5PLset_loading_state(H5PL_ALL_PLUGIN) >= 0);
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "reader.h5";
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(file >= 0);
    H5Dclose(make(file, "data"));
    check_refresh(file);
    check_class(file);
    CHECK(H5Fclose(file) >= 0);

    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "data", H5P_DEFAULT);
    CHECK(dataset >= 0);
    for (int only_hdf5 = 0; only_hdf5 < 2; only_hdf5++) {
        dc_reader_options options = {sizeof options, 3, DC_MISSING_FILL, only_hdf5};
        dc_reader *reader = open_reader(dataset, options);
        check_info(reader, only_hdf5 ? DC_WAY_HDF5 : DC_WAY_DIRECT);
        check_strides(reader);
        if (!only_hdf5) {
            check_threads(reader);
            check_refresh_beside_reads(reader);
            dc_reader *other = open_reader(dataset, options);
            CHECK(dc_reader_refresh(reader) == DC_UNSUPPORTED && says("more than once"));
            dc_reader_free(other);
            check_chunks(reader, path);
            check_index(reader, path);
            check_frames(reader);
        }
        check_arguments(reader, dataset, file);
        CHECK(dc_reader_refresh(reader) == DC_OK);
        read_often(reader);
        dc_reader_free(reader);
        check_missing(dataset, only_hdf5);
    }
    /* The reader has the dataset open itself: the program's may be closed before. */
    dc_reader *reader = open_reader(dataset, (dc_reader_options)DC_READER_OPTIONS_INIT);
    H5Dclose(dataset);
    read_often(reader);
    dc_reader_free(reader);
    CHECK(H5Fclose(file) >= 0);
    printf("reader: ok\n");
    return 0;
}
