/*
 * The writer from C, with the HDF5 of the program's own headers.
 *
 *   gcc -std=c11 -Wall -Wextra -Werror -I/usr/include/hdf5/serial -Iffi/include ffi/tests/writer.c -o writer \
 *       -L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5 -Ltarget/release -ldarkchunk -lm -lpthread
 *   ./writer out.h5
 */
#include <hdf5.h>

#include <darkchunk.h>

#include <dlfcn.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEIGHT = 40, WIDTH = 64, N_PIXELS = HEIGHT * WIDTH, PER_CHUNK = 4, N_FRAMES = 10 };

#define CHECK(good)                                                                             \
    do {                                                                                        \
        if (!(good)) {                                                                          \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #good, dc_last_error());    \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

static const char *PATH = "/entry/instrument/detector/data";

static void make_frame(uint16_t *frame, int index) {
    for (int i = 0; i < N_PIXELS; i++) frame[i] = (uint16_t)(i % (index + 3) == 0 ? 1000 + i + index : i % 10);
}

/* The text of the last failure has this in it. */
static int says(const char *words) {
    return strstr(dc_last_error(), words) != NULL;
}

static hsize_t extent(hid_t file) {
    hsize_t dims[3];
    hid_t dataset = H5Dopen2(file, PATH, H5P_DEFAULT), space = H5Dget_space(dataset);
    CHECK(H5Sget_simple_extent_dims(space, dims, NULL) == 3);
    H5Sclose(space);
    H5Dclose(dataset);
    return dims[0];
}

static uint64_t flushed_after_the_first_chunk(hid_t file, const char *path, const dc_chunk *chunk,
                                              const dc_processing *with) {
    static uint16_t frame[N_PIXELS];
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_writer *writer;
    dc_summary summary;
    CHECK(dc_writer_create(&hdf5, file, path, chunk, 0, with, &writer) == DC_OK);
    for (int n = 0; n < PER_CHUNK; n++) CHECK(dc_writer_push(writer, frame) == DC_OK);
    CHECK(dc_writer_summary(writer, &summary) == DC_OK && summary.n_stored == PER_CHUNK);
    dc_writer_free(writer);
    return summary.n_flushed;
}

/* When the file is flushed: 0 is the default, and what means nothing is refused. */
static void check_flush(hid_t file, const dc_chunk *chunk) {
    dc_processing with = {.size = sizeof with};
    CHECK(flushed_after_the_first_chunk(file, "zeros", chunk, &with) == PER_CHUNK);
    with.flush_seconds = DC_FLUSH_NEVER;
    CHECK(flushed_after_the_first_chunk(file, "never", chunk, &with) == 0);
    with.flush_frames = 1;
    CHECK(flushed_after_the_first_chunk(file, "by number", chunk, &with) == PER_CHUNK);
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_writer *writer = NULL;
    with.flush_seconds = -1;
    CHECK(dc_writer_create(&hdf5, file, "negative", chunk, 0, &with, &writer) == DC_ARGUMENT && writer == NULL);
    CHECK(says("flush_seconds is -1") && says("DC_FLUSH_NEVER"));
    with.flush_seconds = NAN;
    CHECK(dc_writer_create(&hdf5, file, "negative", chunk, 0, &with, &writer) == DC_ARGUMENT && says("NaN"));
    CHECK(H5Lexists(file, "negative", H5P_DEFAULT) == 0);
}

/* Decodes every chunk with the library and compares. */
static void check_frames(hid_t file, dc_chunk *chunk, int n_frames) {
    static uint16_t pixels[PER_CHUNK * N_PIXELS], frame[N_PIXELS];
    static unsigned char bytes[4 * sizeof pixels];
    hid_t dataset = H5Dopen2(file, PATH, H5P_DEFAULT);
    for (int first = 0; first < n_frames; first += PER_CHUNK) {
        hsize_t offset[3] = {(hsize_t)first, 0, 0}, n_bytes;
        uint32_t mask = 1;
        CHECK(H5Dget_chunk_storage_size(dataset, offset, &n_bytes) >= 0 && n_bytes <= sizeof bytes);
#if H5_VERSION_GE(2, 0, 0)
        size_t room = sizeof bytes;
        CHECK(H5Dread_chunk2(dataset, H5P_DEFAULT, offset, &mask, bytes, &room) >= 0);
#else
        CHECK(H5Dread_chunk(dataset, H5P_DEFAULT, offset, &mask, bytes) >= 0);
#endif
        CHECK(mask == 0);
        CHECK(dc_decode_chunk(chunk, bytes, n_bytes, pixels, sizeof pixels) == DC_OK);
        for (int n = 0; n < PER_CHUNK; n++) {
            make_frame(frame, first + n);
            for (int i = 0; i < N_PIXELS; i++) {
                int expected = first + n < n_frames && frame[i] >= 100 ? frame[i] : 0;
                CHECK(pixels[n * N_PIXELS + i] == expected);
            }
        }
    }
    H5Dclose(dataset);
}

/* A table filled by names: of this program's HDF5, which is found first; as long as its size says; or an error. */
static void loaded(void) {
    dc_hdf5 headers = dc_hdf5_from_headers(), table = headers;
    CHECK(dc_hdf5_size() == sizeof table);
    table.fn_H5Dwrite_chunk = NULL;
    table.native_int16 = 0;
    table.size = offsetof(dc_hdf5, fn_H5Dwrite_chunk);
    CHECK(dc_hdf5_load(NULL, NULL, &table) == DC_OK && table.size == offsetof(dc_hdf5, fn_H5Dwrite_chunk));
    CHECK(table.native_int16 == headers.native_int16 && table.fn_H5Dwrite_chunk == NULL && table.enter && table.leave);
    table.size = sizeof table;
    CHECK(dc_hdf5_load(NULL, dlopen(NULL, RTLD_LAZY), &table) == DC_OK && table.fn_H5Dwrite_chunk != NULL);
    CHECK(dc_hdf5_load("/no/such/library", NULL, &table) == DC_UNSUPPORTED && says("/no/such/library"));
    CHECK(dc_hdf5_load("/no/such/library", &table, &table) == DC_ARGUMENT && says("not both"));
    CHECK(dc_hdf5_load(NULL, NULL, NULL) == DC_NULL);
    table.size = 0;
    CHECK(dc_hdf5_load(NULL, NULL, &table) == DC_OK && table.size == 0);
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "writer.h5";
    static uint16_t frame[N_PIXELS];
    const uint32_t threshold = 100;
    dc_chunk chunk = DC_CHUNK_INIT;
    chunk.element = DC_UINT16;
    chunk.filter = DC_DRLE;
    chunk.values = &threshold;
    chunk.n_values = 1;
    chunk.n_frames = PER_CHUNK;
    chunk.height = HEIGHT;
    chunk.width = WIDTH;

    hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(file >= 0);
    loaded();
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_writer *writer = NULL;
    CHECK(dc_writer_create(NULL, file, PATH, &chunk, 1, NULL, &writer) == DC_NULL && says("hdf5 is NULL"));
    CHECK(dc_writer_create(&hdf5, file, NULL, &chunk, 1, NULL, &writer) == DC_NULL && says("path is NULL"));
    CHECK(dc_writer_create(&hdf5, file, PATH, NULL, 1, NULL, &writer) == DC_NULL && says("chunk is NULL"));
    CHECK(dc_writer_create(&hdf5, file, PATH, &chunk, 1, NULL, NULL) == DC_NULL && says("writer is NULL"));
    CHECK(dc_writer_create(&hdf5, file, "", &chunk, 0, NULL, &writer) == DC_UNSUPPORTED && says("is empty"));
    CHECK(dc_writer_create(&hdf5, file, "/short", &chunk, 1, NULL, &writer) == DC_UNSUPPORTED && writer == NULL);
    CHECK(dc_writer_create(&hdf5, file, PATH, &chunk, 1, NULL, &writer) == DC_OK);
    /* The first frames at once, over the end of a chunk, the others one by one. */
    static uint16_t first[PER_CHUNK + 2][N_PIXELS];
    const void *pointers[PER_CHUNK + 2];
    for (int n = 0; n < PER_CHUNK + 2; n++) {
        make_frame(first[n], n);
        pointers[n] = first[n];
    }
    CHECK(dc_writer_push_frames(writer, NULL, 1) == DC_NULL && says("frames is NULL"));
    const void *last = pointers[PER_CHUNK];
    pointers[PER_CHUNK] = NULL;
    CHECK(dc_writer_push_frames(writer, pointers, PER_CHUNK + 2) == DC_NULL && says("frames[4] is NULL"));
    pointers[PER_CHUNK] = last;
    const size_t one_strip = N_PIXELS;
    const void *no_strip = NULL;
    CHECK(dc_writer_push_strips(writer, &no_strip, &one_strip, 1) == DC_NULL && says("strips[0] is NULL"));
    CHECK(dc_writer_push_frames(writer, pointers, PER_CHUNK + 2) == DC_OK);
    for (int n = PER_CHUNK + 2; n < N_FRAMES - 1; n++) {
        make_frame(frame, n);
        if (n % 2) {
            const void *strips[2] = {frame, frame + WIDTH};
            const size_t strip_pixels[2] = {WIDTH, N_PIXELS - WIDTH};
            CHECK(dc_writer_push_strips(writer, strips, strip_pixels, 2) == DC_OK);
        } else {
            CHECK(dc_writer_push(writer, frame) == DC_OK);
        }
    }
    CHECK(dc_writer_push(writer, NULL) == DC_NULL);
    pointers[1] = NULL;
    CHECK(dc_writer_push_frames(writer, &pointers[1], 2) == DC_NULL);
    dc_summary summary;
    CHECK(dc_writer_summary(writer, &summary) == DC_OK);
    CHECK(summary.n_pushed == N_FRAMES - 1 && summary.n_stored == 8);
    CHECK(dc_writer_finish(writer) == DC_OK);
    dc_writer_free(writer);
    CHECK(extent(file) == N_FRAMES - 1);

    check_flush(file, &chunk);
    /* A bare stream cannot hold every pixel: such a frame is not taken. */
    const uint32_t bare_values[2] = {100, 1};
    dc_chunk bare = chunk;
    bare.values = bare_values;
    bare.n_values = 2;
    CHECK(dc_writer_create(&hdf5, file, "/bare", &bare, 0, NULL, &writer) == DC_OK);
    frame[5] = 65535;
    CHECK(dc_writer_push(writer, frame) == DC_TOO_BRIGHT);
    pointers[1] = frame;
    CHECK(dc_writer_push_frames(writer, &pointers[0], 2) == DC_TOO_BRIGHT);
    CHECK(dc_writer_summary(writer, &summary) == DC_OK && summary.n_pushed == 1);
    dc_writer_free(writer);

    /* The name is taken; but the recording can go on. */
    CHECK(dc_writer_create(&hdf5, file, PATH, &chunk, 1, NULL, &writer) == DC_UNSUPPORTED);
    CHECK(strstr(dc_last_error(), PATH));
    CHECK(dc_writer_attach(&hdf5, file, PATH, DC_INT16, 0, NULL, &writer) == DC_UNSUPPORTED);
    CHECK(dc_writer_attach(&hdf5, file, PATH, DC_UINT16, 0, NULL, &writer) == DC_OK);
    dc_writer *second = NULL;
    CHECK(dc_writer_attach(&hdf5, file, "/entry/data/data", DC_UINT16, 0, NULL, &second) == DC_UNSUPPORTED);
    CHECK(second == NULL && says("another writer"));
    make_frame(frame, N_FRAMES - 1);
    CHECK(dc_writer_push_in_place(writer, frame) == DC_OK);
    for (int i = 0; i < N_PIXELS; i++) CHECK(frame[i] == 0 || frame[i] >= 100);
    void *const none[] = {NULL};
    CHECK(dc_writer_push_frames_in_place(writer, none, 1) == DC_NULL && says("frames[0]"));
    CHECK(dc_writer_finish(writer) == DC_OK);
    CHECK(dc_writer_summary(writer, &summary) == DC_OK && summary.n_counted == N_FRAMES);
    const int64_t *sum;
    size_t n_pixels;
    CHECK(dc_writer_sum(writer, NULL, &n_pixels) == DC_NULL && says("sum is NULL"));
    CHECK(dc_writer_sum(writer, &sum, NULL) == DC_NULL && says("n_pixels is NULL"));
    CHECK(dc_writer_sum(writer, &sum, &n_pixels) == DC_OK && n_pixels == N_PIXELS);
    int64_t expected = 0;
    for (int n = 0; n < N_FRAMES; n++) {
        make_frame(frame, n);
        expected += frame[12] >= 100 ? frame[12] : 0;
    }
    CHECK(sum[12] == expected);
    dc_writer_free(writer);
    CHECK(extent(file) == N_FRAMES);
    check_frames(file, &chunk, N_FRAMES);
    CHECK(H5Fclose(file) >= 0);

    file = H5Fopen(name, H5F_ACC_RDONLY, H5P_DEFAULT);
    CHECK(dc_writer_attach(&hdf5, file, PATH, DC_UINT16, 0, NULL, &writer) == DC_UNSUPPORTED);
    CHECK(strstr(dc_last_error(), "read"));
    CHECK(H5Fclose(file) >= 0);
    hdf5.fn_H5Dset_extent = NULL;
    CHECK(dc_writer_attach(&hdf5, file, PATH, DC_UINT16, 0, NULL, &writer) == DC_UNSUPPORTED);
    CHECK(strstr(dc_last_error(), "H5Dset_extent"));
    printf("%d frames written\n", N_FRAMES);
    return 0;
}
