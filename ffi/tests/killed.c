/*
 * A recording that is killed, and what C makes of what it has left.
 *
 *   gcc -std=c11 -Wall -Wextra -Werror -I/usr/include/hdf5/serial -Iffi/include ffi/tests/killed.c -o killed \
 *       -L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5 -Ltarget/release -ldarkchunk -lm -lpthread
 *   ./killed record out.h5          records until it is killed, and says how many frames are written
 *   ./killed restore out.h5 [to]    restores it, in place without `to`, and says what came back
 */
#include <hdf5.h>

#include <darkchunk.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEIGHT = 16, WIDTH = 32, N_PIXELS = HEIGHT * WIDTH };

#define CHECK(good)                                                                             \
    do {                                                                                        \
        if (!(good)) {                                                                          \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #good, dc_last_error());    \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

static dc_recorder *recorder_below(hid_t group, const dc_hdf5 *hdf5) {
    static const dc_column columns[] = {{"pulse", DC_UINT64, 0, NULL}};
    const uint32_t threshold = 1;
    dc_chunk chunk = DC_CHUNK_INIT;
    chunk.element = DC_INT16;
    chunk.filter = DC_DRLE;
    chunk.values = &threshold;
    chunk.n_values = 1;
    chunk.height = HEIGHT;
    chunk.width = WIDTH;
    dc_processing with = DC_PROCESSING_INIT;
    with.flush_seconds = DC_FLUSH_NEVER;
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    options.columns = columns;
    options.n_columns = 1;
    dc_recorder *recorder = NULL;
    CHECK(dc_recorder_create(hdf5, group, "data", &chunk, 0, &with, &options, &recorder) == DC_OK);
    return recorder;
}

/* Frame n has n + 1 in pixel n modulo their number, and zeros. */
static void record(const char *path) {
    const dc_hdf5 hdf5 = dc_hdf5_from_headers();
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t group = H5Gcreate2(file, "scan", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(group, "sample", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT);
    const int sample = 42;
    CHECK(H5Awrite(attribute, H5T_NATIVE_INT, &sample) >= 0 && H5Aclose(attribute) >= 0 && H5Sclose(space) >= 0);
    dc_recorder *recorder = recorder_below(group, &hdf5);
    static int16_t frame[N_PIXELS];
    for (uint64_t n = 0;; n++) {
        memset(frame, 0, sizeof frame);
        frame[n % N_PIXELS] = (int16_t)(n % 30000 + 1);
        CHECK(dc_recorder_push_copy(recorder, n, frame, &n, NULL) == DC_OK);
        dc_recorder_statistics found = {.size = sizeof found};
        CHECK(dc_recorder_statistics_of(recorder, &found) == DC_OK);
        printf("%llu\n", (unsigned long long)found.n_stored);
        fflush(stdout);
    }
}

static void restore(const char *path, const char *to) {
    const dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_restored restored = DC_RESTORED_INIT;
    char lost[1000];
    CHECK(dc_journal_restore(&hdf5, path, to, &restored, lost, sizeof lost) == DC_OK);
    printf("%llu %llu %llu %llu %s\n", (unsigned long long)restored.n_chunks, (unsigned long long)restored.n_rows,
           (unsigned long long)restored.n_copied, (unsigned long long)restored.n_lost, lost);
}

static void misuse(const char *path) {
    const dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_restored restored = {.size = 3};
    CHECK(dc_journal_restore(&hdf5, NULL, NULL, NULL, NULL, 0) == DC_NULL);
    CHECK(dc_journal_restore(&hdf5, path, "x", &restored, NULL, 0) == DC_ARGUMENT);
    CHECK(dc_journal_restore(&hdf5, path, path, NULL, NULL, 0) == DC_OTHER && strstr(dc_last_error(), "journal"));
}

int main(int argc, char **argv) {
    if (argc >= 3 && strcmp(argv[1], "record") == 0) record(argv[2]);
    if (argc >= 3 && strcmp(argv[1], "restore") == 0) restore(argv[2], argc > 3 ? argv[3] : NULL);
    if (argc >= 3 && strcmp(argv[1], "misuse") == 0) misuse(argv[2]);
    return argc < 3;
}
