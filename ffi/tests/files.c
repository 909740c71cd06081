/* One measurement in several files, and the master of them. */
#include <hdf5.h>

#include "darkchunk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, dc_last_error());                       \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { N_PIXELS = 6 * 5, N_FRAMES = 25 };

enum { N_NAMES = 5 };

/* The master, three parts, and the lines. */
static char NAMES[N_NAMES][4000];

static void name_files(const char *master) {
    const char *ends[N_NAMES] = {".h5", "_000000.h5", "_000001.h5", "_000002.h5", ".h5.parts.jsonl"};
    for (int i = 0; i < N_NAMES; i++) {
        snprintf(NAMES[i], sizeof NAMES[i], "%.*s%s", (int)(strlen(master) - 3), master, ends[i]);
        remove(NAMES[i]);
        /* A run that was ended in the middle has left journals, and a recording that did not finish is not replaced. */
        char journal[sizeof NAMES + 10];
        snprintf(journal, sizeof journal, "%s.journal", NAMES[i]);
        remove(journal);
    }
}

static void record(const dc_hdf5 *hdf5) {
    dc_chunk chunk = {.size = sizeof chunk, .element = DC_INT16, .filter = DC_NO_FILTER, .n_frames = 1, .height = 6, .width = 5};
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    dc_spread spread = {.size = sizeof spread, .frames = 10};
    options.reorder = 3;
    dc_recorder *recorder;
    CHECK(dc_recorder_create_files(hdf5, NAMES[0], &spread, "/data", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    for (uint64_t n = 0; n < N_FRAMES; n++) {
        int16_t frame[N_PIXELS];
        for (int i = 0; i < N_PIXELS; i++) frame[i] = (int16_t)(100 * n + i);
        CHECK(dc_recorder_push_copy(recorder, n, frame, NULL, NULL) == DC_OK);
    }
    CHECK(dc_recorder_finish(recorder) == DC_OK);
    char line[1000];
    int is_there = 0, n_lines = 0;
    while (dc_recorder_complete(recorder, line, sizeof line, &is_there) == DC_OK && is_there) {
        CHECK(strstr(NAMES[++n_lines], "_00000") && strstr(line, strstr(NAMES[n_lines], "_00000")) && strstr(line, "sha256"));
    }
    CHECK(n_lines == 3);
    dc_recorder_statistics found = {.size = sizeof found};
    CHECK(dc_recorder_statistics_of(recorder, &found) == DC_OK && found.n_stored == N_FRAMES);
    CHECK(dc_recorder_fault(recorder, line, sizeof line) == DC_OK && line[0] == 0);
    dc_recorder_free(recorder);
}

static void check(hsize_t n_frames) {
    hid_t file = H5Fopen(NAMES[0], H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t data = H5Dopen2(file, "/data", H5P_DEFAULT);
    hid_t space = H5Dget_space(data);
    hsize_t dims[3];
    CHECK(H5Sget_simple_extent_dims(space, dims, NULL) == 3 && dims[0] == n_frames);
    int16_t frames[N_FRAMES * N_PIXELS];
    CHECK(H5Dread(data, H5T_NATIVE_INT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, frames) >= 0);
    for (int n = 0; n < (int)n_frames; n++) {
        for (int i = 0; i < N_PIXELS; i++) CHECK(frames[n * N_PIXELS + i] == 100 * n + i);
    }
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(file);
}

static void master(const dc_hdf5 *hdf5) {
    char missing[500];
    size_t n_missing = 9;
    CHECK(dc_master_make(hdf5, NAMES[0], NULL, 0, missing, sizeof missing, &n_missing) == DC_OK);
    CHECK(n_missing == 0 && missing[0] == 0);
    check(N_FRAMES);
    const char *const two[] = {NAMES[1], NAMES[2]};
    CHECK(dc_master_make(hdf5, NAMES[0], two, 2, NULL, 0, NULL) == DC_OK);
    check(20);
    const char *const twice[] = {NAMES[1], NAMES[1]};
    CHECK(dc_master_make(hdf5, NAMES[0], twice, 2, NULL, 0, NULL) == DC_OTHER && strstr(dc_last_error(), "has, too"));
    CHECK(dc_master_make(hdf5, NULL, NULL, 0, NULL, 0, NULL) == DC_NULL);
    check(20);
}

static void misuse(const dc_hdf5 *hdf5) {
    dc_chunk chunk = {.size = sizeof chunk, .element = DC_INT16, .filter = DC_NO_FILTER, .n_frames = 1, .height = 6, .width = 5};
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    dc_spread spread = {.size = 1, .frames = 10};
    dc_recorder *recorder = NULL;
    CHECK(dc_recorder_create_files(hdf5, "x.h5", &spread, "/data", &chunk, 0, NULL, &options, &recorder) == DC_ARGUMENT);
    spread.size = sizeof spread;
    CHECK(dc_recorder_create_files(hdf5, NAMES[0], &spread, "/data", &chunk, 0, NULL, &options, &recorder) == DC_OTHER);
    CHECK(strstr(dc_last_error(), "already") && !recorder);
    CHECK(dc_recorder_create_files(NULL, "x.h5", &spread, "/data", &chunk, 0, NULL, &options, &recorder) == DC_NULL);
    CHECK(dc_recorder_create_files(hdf5, "x.h5", NULL, "/data", &chunk, 0, NULL, &options, &recorder) == DC_NULL);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    const dc_hdf5 hdf5 = dc_hdf5_from_headers();
    name_files(argv[1]);
    record(&hdf5);
    check(N_FRAMES);
    master(&hdf5);
    misuse(&hdf5);
    puts("one measurement in several files: well");
    return 0;
}
