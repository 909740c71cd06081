/*
 * A recording in C with the writer: it makes the dataset, encodes the frames with two threads, writes the chunks, flushes, and
 * stores sum, dark image and counts beside the frames, in NeXus groups that viewers find by themselves.
 *
 *   gcc -std=c11 -Wall -Wextra -Werror -I/usr/include/hdf5/serial -Iffi/include examples/record.c -o record \
 *       -L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5 -Ltarget/release -ldarkchunk -lm
 *   ./record run.h5
 *
 * acquire.c is for programs that make the dataset and write the chunks themselves. The camera is simulated. The program ends
 * with 0 only if every frame is in the file.
 */
#include <hdf5.h>

#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

#include <darkchunk.h>

enum { HEIGHT = 512, WIDTH = 512, N_PIXELS = HEIGHT * WIDTH, RING = 32, AT_ONCE = 16, N_FRAMES = 200 };
enum { THRESHOLD = 20, MAX_TRIES = 50 };

static const char *PATH = "/entry/instrument/detector/data";

static void fail(const char *what) {
    const char *why = dc_last_error(); /* "" where it was not darkchunk that failed; HDF5 prints its reasons itself */
    fprintf(stderr, "record: %s failed%s%s\n", what, *why ? ": " : "", why);
    exit(1);
}

#define DC(call) do { if ((call) != DC_OK) fail(#call); } while (0)
#define H5(call) do { if ((call) < 0) fail(#call); } while (0)

/* The same numbers on every machine. */
static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Frame `index`: the dark image, readout noise below the threshold, and some electron spots. */
static void camera(int16_t *frame, const int16_t *dark, unsigned index) {
    uint32_t state = index * 2654435761u + 1;
    for (int i = 0; i < N_PIXELS; i++) frame[i] = (int16_t)(dark[i] + (int)(next_random(&state) % 11) - 5);
    for (int spot = 0; spot < 300; spot++) {
        uint32_t at = next_random(&state) % (N_PIXELS - 2);
        frame[at] = (int16_t)(frame[at] + 30 + (int)(next_random(&state) % 1000));
        frame[at + 1] = (int16_t)(frame[at + 1] + 25);
    }
}

static dc_summary summary_of(const dc_writer *writer) {
    dc_summary summary;
    DC(dc_writer_summary(writer, &summary));
    return summary;
}

/* Hands frames to the writer, until all are taken. On a disk that is full or away it waits for room:
 *
 *   DC_NOT_STORED   all were taken; those that are not stored are held, and tried again by the next call: go on
 *   DC_NOT_TAKEN    the writer holds a full chunk already: those that it did not take are pushed again
 *
 * In the end it gives up, and says what is safe. */
static void push(dc_writer *writer, const void *const *frames, size_t n_frames) {
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    uint64_t n_before = summary_of(writer).n_pushed;
    for (int n_tries = 0; n_tries < MAX_TRIES; n_tries++) {
        size_t n_taken = (size_t)(summary_of(writer).n_pushed - n_before);
        dc_status status = dc_writer_push_frames(writer, frames + n_taken, n_frames - n_taken);
        if (status == DC_OK) return;
        fprintf(stderr, "record: %s\n", dc_last_error());
        if (status == DC_NOT_STORED) return;
        if (status != DC_NOT_TAKEN) break;
        thrd_sleep(&pause, NULL);
    }
    dc_summary summary = summary_of(writer);
    fprintf(stderr, "record: of %llu frames, %llu are in the file, %llu of them flushed\n",
            (unsigned long long)summary.n_pushed, (unsigned long long)summary.n_stored,
            (unsigned long long)summary.n_flushed);
    fail("dc_writer_push_frames");
}

/* Stores what is held, and tries again while the disk has no room for it. */
static void finish(dc_writer *writer) {
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    dc_status status = DC_NOT_STORED;
    for (int n_tries = 0; status == DC_NOT_STORED && n_tries < MAX_TRIES; n_tries++) {
        status = dc_writer_finish(writer);
        if (status == DC_NOT_STORED) thrd_sleep(&pause, NULL);
    }
    if (status != DC_OK) fail("dc_writer_finish");
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "record.h5";
    static int16_t dark[N_PIXELS], ring[RING][N_PIXELS];
    for (int i = 0; i < N_PIXELS; i++) dark[i] = (int16_t)(100 + i % 7);

    /* A format that HDF5 1.10 reads. The writer flushes the file when it has made the dataset, after the first chunk, and then
     * once a second: if the program is killed, all frames up to the last flush are in a file that opens as usual (but for
     * a kill within one of some dozens of flushes: see dc_writer_flush). In the format "latest" it would not open. */
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5(H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110));
    hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5(file);
    H5(H5Pclose(access));

    const uint32_t threshold = THRESHOLD;
    dc_chunk chunk = DC_CHUNK_INIT;
    chunk.element = DC_INT16;
    chunk.filter = DC_DRLE;
    chunk.values = &threshold;
    chunk.n_values = 1;
    chunk.n_frames = AT_ONCE;
    chunk.height = HEIGHT;
    chunk.width = WIDTH;
    dc_processing processing = DC_PROCESSING_INIT;
    processing.dark = dark;
    processing.n_threads = 2;
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_writer *writer;
    DC(dc_writer_create(&hdf5, file, PATH, &chunk, 1, &processing, &writer));

    /* The camera fills one half of the ring while the other is written. */
    const void *ready[AT_ONCE];
    size_t n_ready = 0;
    for (unsigned index = 0; index < N_FRAMES; index++) {
        camera(ring[index % RING], dark, index);
        ready[n_ready++] = ring[index % RING];
        if (n_ready == AT_ONCE || index + 1 == N_FRAMES) {
            push(writer, ready, n_ready);
            n_ready = 0;
        }
    }
    finish(writer);

    dc_summary summary = summary_of(writer);
    dc_writer_free(writer);
    H5(H5Fclose(file));
    printf("%llu frames recorded to %s with darkchunk %s (%s): 1/%.0f of their bytes, %llu pixels bright, %llu set to 0\n",
           (unsigned long long)summary.n_flushed, name, dc_version(), dc_level(),
           2.0 * N_PIXELS * N_FRAMES / (double)summary.stored_bytes, (unsigned long long)summary.counts.n_bright,
           (unsigned long long)summary.counts.n_zeroed);
    return summary.n_flushed == N_FRAMES ? 0 : 1;
}
