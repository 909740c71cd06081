/*
 * An acquisition program in C: camera frames in a ring of buffers, dark subtraction, threshold, sum and DRLE by
 * libdarkchunk, and H5Dwrite_chunk by the program itself, with its own HDF5.
 *
 *   gcc -std=c11 -Wall -Wextra -Werror -I/usr/include/hdf5/serial -Iffi/include examples/acquire.c -o acquire \
 *       -L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5 -Ltarget/release -ldarkchunk -lm
 *   ./acquire run.h5
 *
 * The file opens in any program that finds the plugin (HDF5_PLUGIN_PATH). The camera is simulated. The program reads
 * one chunk back and decodes it, and ends with 0 only if every pixel is as it must be.
 */
#include <hdf5.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <darkchunk.h>

enum { HEIGHT = 256, WIDTH = 320, N_PIXELS = HEIGHT * WIDTH, RING = 4, FRAMES_PER_CHUNK = 5, N_FRAMES = 103 };
enum { THRESHOLD = 20, FLUSH_CHUNKS = 8 };

static void fail(const char *what) {
    const char *why = dc_last_error(); /* "" where it was not darkchunk that failed; HDF5 prints its reasons itself */
    fprintf(stderr, "acquire: %s failed%s%s\n", what, *why ? ": " : "", why);
    exit(1);
}

static void need(int good, const char *what) {
    if (!good) fail(what);
}

#define DC(call) need((call) == DC_OK, #call)
#define H5(call) need((call) >= 0, #call)

/* The same numbers on every machine. */
static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void make_dark(int16_t *dark) {
    for (int i = 0; i < N_PIXELS; i++) dark[i] = (int16_t)(100 + i % 7 + (i / WIDTH) % 3);
}

/* Frame `index`: the dark image, readout noise below the threshold, and some electron spots. */
static void camera(int16_t *frame, const int16_t *dark, unsigned index) {
    uint32_t state = index * 2654435761u + 1;
    for (int i = 0; i < N_PIXELS; i++) frame[i] = (int16_t)(dark[i] + (int)(next_random(&state) % 11) - 5);
    for (int spot = 0; spot < 60; spot++) {
        uint32_t at = next_random(&state) % (N_PIXELS - WIDTH - 1);
        int amplitude = 30 + (int)(next_random(&state) % 1000);
        frame[at] = (int16_t)(frame[at] + amplitude);
        frame[at + 1] = (int16_t)(frame[at + 1] + amplitude / 2);
        frame[at + WIDTH] = (int16_t)(frame[at + WIDTH] + amplitude / 3);
    }
}

/* What must be read back. */
static int stored(int16_t pixel, int16_t dark) {
    int difference = pixel - dark;
    return difference < THRESHOLD ? 0 : difference;
}

/* The dataset, with exactly the parameters that the chunks will be encoded for. */
static hid_t create_dataset(hid_t file, const dc_chunk *chunk) {
    uint32_t values[DC_MAX_VALUES];
    size_t n_values;
    DC(dc_cd_values(chunk, values, DC_MAX_VALUES, &n_values));
    unsigned cd_values[DC_MAX_VALUES];
    for (size_t i = 0; i < n_values; i++) cd_values[i] = values[i];

    hsize_t dims[3] = {0, HEIGHT, WIDTH}, most[3] = {H5S_UNLIMITED, HEIGHT, WIDTH};
    hsize_t chunk_dims[3] = {FRAMES_PER_CHUNK, HEIGHT, WIDTH};
    hid_t space = H5Screate_simple(3, dims, most);
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5(space);
    H5(H5Pset_chunk(properties, 3, chunk_dims));
    H5(H5Pset_filter(properties, (H5Z_filter_t)chunk->filter, H5Z_FLAG_OPTIONAL, n_values, cd_values));
    hid_t dataset = H5Dcreate2(file, "images", H5T_NATIVE_INT16, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    H5(dataset);
    H5(H5Pclose(properties));
    H5(H5Sclose(space));
    return dataset;
}

/* Extends the dataset by the frames that are in the encoder, and writes them as one chunk. Where that fails this program
 * ends; one that tries again must make HDF5 forget the chunk first, as darkchunk.h says of dc_encoder. */
static void write_chunk(hid_t dataset, dc_encoder *encoder, hsize_t first_frame) {
    const void *bytes;
    size_t n_bytes, n_frames;
    DC(dc_encoder_n_frames(encoder, &n_frames));
    if (n_frames == 0) return;
    DC(dc_encoder_chunk(encoder, &bytes, &n_bytes));
    hsize_t extent[3] = {first_frame + n_frames, HEIGHT, WIDTH}, offset[3] = {first_frame, 0, 0};
    H5(H5Dset_extent(dataset, extent));
    H5(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, offset, n_bytes, bytes));
    DC(dc_encoder_clear(encoder));
}

/* Decodes the last chunk of the file and compares it with what the camera gave. */
static void check(hid_t dataset, const dc_chunk *chunk, const int16_t *dark, int16_t *frame) {
    hsize_t offset[3] = {N_FRAMES / FRAMES_PER_CHUNK * FRAMES_PER_CHUNK, 0, 0}, n_bytes;
    uint32_t mask;
    H5(H5Dget_chunk_storage_size(dataset, offset, &n_bytes));
    void *bytes = malloc(n_bytes);
    int16_t *pixels = malloc(sizeof(int16_t) * N_PIXELS * FRAMES_PER_CHUNK);
    need(bytes && pixels, "malloc");
#if H5_VERSION_GE(2, 0, 0)
    size_t room = n_bytes;
    H5(H5Dread_chunk2(dataset, H5P_DEFAULT, offset, &mask, bytes, &room));
#else
    H5(H5Dread_chunk(dataset, H5P_DEFAULT, offset, &mask, bytes));
#endif
    DC(dc_decode_chunk(chunk, bytes, n_bytes, pixels, sizeof(int16_t) * N_PIXELS * FRAMES_PER_CHUNK));
    for (unsigned n = 0; n < FRAMES_PER_CHUNK; n++) {
        unsigned index = (unsigned)offset[0] + n;
        camera(frame, dark, index);
        for (int i = 0; i < N_PIXELS; i++) {
            int expected = index < N_FRAMES ? stored(frame[i], dark[i]) : 0;
            if (pixels[n * N_PIXELS + i] != expected) {
                fprintf(stderr, "frame %u, pixel %d: %d, not %d\n", index, i, pixels[n * N_PIXELS + i], expected);
                exit(1);
            }
        }
    }
    free(bytes);
    free(pixels);
}

/* The sum of all frames, as a dataset of its own. */
static void write_sum(hid_t file, dc_encoder *encoder) {
    const int64_t *sum;
    size_t n_pixels;
    DC(dc_encoder_sum(encoder, &sum, &n_pixels));
    hsize_t dims[2] = {HEIGHT, WIDTH};
    hid_t space = H5Screate_simple(2, dims, NULL);
    hid_t dataset = H5Dcreate2(file, "sum", H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5(dataset);
    H5(H5Dwrite(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, sum));
    H5(H5Dclose(dataset));
    H5(H5Sclose(space));
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "acquire.h5";
    static int16_t dark[N_PIXELS], ring[RING][N_PIXELS];
    make_dark(dark);

    const uint32_t threshold = THRESHOLD;
    dc_chunk chunk = DC_CHUNK_INIT;
    chunk.element = DC_INT16;
    chunk.filter = DC_DRLE;
    chunk.values = &threshold;
    chunk.n_values = 1;
    chunk.n_frames = FRAMES_PER_CHUNK;
    chunk.height = HEIGHT;
    chunk.width = WIDTH;
    dc_processing processing = DC_PROCESSING_INIT;
    processing.dark = dark;
    dc_encoder *encoder;
    DC(dc_encoder_new(&chunk, &processing, &encoder));

    /* A format that HDF5 1.10 reads. Not being "latest", it opens after the program was killed, with all frames up to the last
     * flush: so the file is flushed when the dataset is there, after the first chunk, and then every few chunks. (HDF5
     * has a gap: a kill within a flush that splits a node of the dataset's index.) */
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5(H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110));
    hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5(file);
    H5(H5Pclose(access));
    hid_t dataset = create_dataset(file, &chunk);
    H5(H5Fflush(file, H5F_SCOPE_LOCAL));

    for (unsigned index = 0; index < N_FRAMES; index++) {
        int16_t *frame = ring[index % RING];
        camera(frame, dark, index);
        DC(dc_encoder_push(encoder, frame));
        if ((index + 1) % FRAMES_PER_CHUNK == 0) {
            write_chunk(dataset, encoder, index + 1 - FRAMES_PER_CHUNK);
            if ((index + 1) / FRAMES_PER_CHUNK % FLUSH_CHUNKS == 1) H5(H5Fflush(file, H5F_SCOPE_LOCAL));
        }
    }
    write_chunk(dataset, encoder, N_FRAMES / FRAMES_PER_CHUNK * FRAMES_PER_CHUNK);
    write_sum(file, encoder);
    check(dataset, &chunk, dark, ring[0]);

    dc_counts counts;
    DC(dc_encoder_counts(encoder, &counts));
    printf("%d frames recorded to %s with darkchunk %s (%s): %llu pixels bright, %llu set to 0\n", N_FRAMES, name,
           dc_version(), dc_level(), (unsigned long long)counts.n_bright, (unsigned long long)counts.n_zeroed);
    dc_encoder_free(encoder);
    H5(H5Dclose(dataset));
    H5(H5Fclose(file));
    return 0;
}
