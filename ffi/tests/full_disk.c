/*
 * A disk that is full: the loop of examples/record.c loses no frame, and the counts agree with the file at every step.
 *
 *   gcc -std=c11 -Wall -Wextra -Werror -I/usr/include/hdf5/serial -Iffi/include ffi/tests/full_disk.c -o full_disk \
 *       -L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5 -Ltarget/release -ldarkchunk -lm -lpthread
 *   ./full_disk out.h5
 *
 * The disk is a limit on the size of files: the system writes up to it and refuses the rest.
 */
#define _DEFAULT_SOURCE
#include <hdf5.h>

#include <darkchunk.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { HEIGHT = 40, WIDTH = 64, N_PIXELS = HEIGHT * WIDTH, PER_CHUNK = 3, N_FRAMES = 40, MORE = 1500 };

#define CHECK(good)                                                                             \
    do {                                                                                        \
        if (!(good)) {                                                                          \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #good, dc_last_error());    \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

static rlim_t limit;

static void disk_has(rlim_t n_bytes) {
    struct rlimit size;
    CHECK(getrlimit(RLIMIT_FSIZE, &size) == 0);
    limit = n_bytes;
    size.rlim_cur = n_bytes < size.rlim_max ? n_bytes : size.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &size) == 0);
}

static void make_frame(int16_t *frame, int index) {
    uint32_t state = (uint32_t)index * 2654435761u + 1;
    for (int i = 0; i < N_PIXELS; i++) {
        state = state * 1664525u + 1013904223u;
        frame[i] = (int16_t)(state >> 28 ? 0 : state >> 17 & 1023);
    }
}

/* Whether the dataset has `n_frames` frames, each as it was pushed. */
static void check_file(hid_t file, int n_frames) {
    static int16_t pixels[N_PIXELS], frame[N_PIXELS];
    hsize_t dims[3], count[3] = {1, HEIGHT, WIDTH};
    hid_t dataset = H5Dopen2(file, "images", H5P_DEFAULT), space = H5Dget_space(dataset);
    CHECK(H5Sget_simple_extent_dims(space, dims, NULL) == 3 && dims[0] == (hsize_t)n_frames);
    hid_t memory = H5Screate_simple(3, count, NULL);
    for (int n = 0; n < n_frames; n++) {
        hsize_t start[3] = {(hsize_t)n, 0, 0};
        CHECK(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0);
        CHECK(H5Dread(dataset, H5T_NATIVE_INT16, memory, space, H5P_DEFAULT, pixels) >= 0);
        make_frame(frame, n);
        CHECK(memcmp(pixels, frame, sizeof frame) == 0);
    }
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(dataset);
}

/* What the writer says is what the file has. `look`: HDF5 is asked. */
static void check(dc_writer *writer, hid_t file, uint64_t n_pushed, int look) {
    dc_summary summary;
    CHECK(dc_writer_summary(writer, &summary) == DC_OK);
    CHECK(summary.n_pushed == n_pushed && summary.n_stored <= n_pushed && summary.n_flushed <= summary.n_stored);
    if (look) check_file(file, (int)summary.n_stored);
}

/* Records on a disk that is full after `room` bytes, and has a little more after each second failure. */
static int record(const char *name, dc_chunk *chunk, rlim_t room, int look) {
    static int16_t frame[N_PIXELS];
    disk_has(RLIM_INFINITY);
    hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(file >= 0);
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_processing with = DC_PROCESSING_INIT;
    with.flush_frames = 5;
    dc_writer *writer;
    CHECK(dc_writer_create(&hdf5, file, "images", chunk, 0, &with, &writer) == DC_OK);
    struct stat status;
    CHECK(stat(name, &status) == 0);
    disk_has((rlim_t)status.st_size + room);
    int n_failures = 0;
    for (int n = 0; n < N_FRAMES; n++) {
        make_frame(frame, n);
        dc_status pushed;
        while ((pushed = dc_writer_push(writer, frame)) == DC_NOT_TAKEN) {
            check(writer, file, (uint64_t)n, look);
            CHECK(++n_failures < 1000);
            if (n_failures % 2 == 0) disk_has(limit + MORE);
        }
        CHECK(pushed == DC_OK || pushed == DC_NOT_STORED);
        n_failures += pushed != DC_OK;
        check(writer, file, (uint64_t)n + 1, look);
        if (n % 4 == 1) {
            dc_status flushed = dc_writer_flush(writer);
            CHECK(flushed == DC_OK || flushed == DC_NOT_STORED);
        }
    }
    if (dc_writer_finish(writer) != DC_OK) {
        disk_has(RLIM_INFINITY);
        CHECK(dc_writer_finish(writer) == DC_OK);
    }
    check(writer, file, N_FRAMES, 1);
    dc_writer_free(writer);
    CHECK(H5Fclose(file) >= 0);
    disk_has(RLIM_INFINITY);
    file = H5Fopen(name, H5F_ACC_RDONLY, H5P_DEFAULT);
    CHECK(file >= 0);
    check_file(file, N_FRAMES);
    CHECK(H5Fclose(file) >= 0);
    return n_failures;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "full_disk.h5";
    signal(SIGXFSZ, SIG_IGN);
    const uint32_t threshold = 1;
    dc_chunk chunk = DC_CHUNK_INIT;
    chunk.element = DC_INT16;
    chunk.height = HEIGHT;
    chunk.width = WIDTH;
    /* Under valgrind fewer rooms do. */
    const int is_sample = getenv("DARKCHUNK_SAMPLE") != NULL;
    int n_failures = 0;
    for (int drle = 0; drle < 2; drle++) {
        chunk.filter = drle ? DC_DRLE : DC_NO_FILTER;
        chunk.values = drle ? &threshold : NULL;
        chunk.n_values = drle ? 1 : 0;
        for (size_t n_frames = 1; n_frames <= PER_CHUNK; n_frames += 2) {
            chunk.n_frames = n_frames;
            for (rlim_t room = 0; room < 20000; room += is_sample ? 3 * 4321 : 4321) {
                n_failures += record(name, &chunk, room, 0) + record(name, &chunk, room, 1);
            }
        }
    }
    CHECK(n_failures > (is_sample ? 40 : 100));
    printf("%d failures\n", n_failures);
    return 0;
}
