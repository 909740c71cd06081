/* What the metadata of a frame costs in C: `columns TURNS FILE`. Prints a line of JSON. columns.rs says what is measured. */
#define _POSIX_C_SOURCE 199309L
#include <hdf5.h>

#include <darkchunk.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SIDE = 16, N_COLUMNS = 14, N_FRAMES = 50000 };

static void check(dc_status status) {
    if (status == DC_OK) return;
    fprintf(stderr, "%s\n", dc_last_error());
    exit(1);
}

static double cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e6 * (double)now.tv_sec + (double)now.tv_nsec / 1e3;
}

/* Processor time of a frame, in microseconds. */
static double turn(const char *path, size_t n_columns) {
    static const char *names[N_COLUMNS] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12", "c13"};
    dc_column columns[N_COLUMNS];
    for (int i = 0; i < N_COLUMNS; i++) columns[i] = (dc_column){names[i], DC_FLOAT64, 0, NULL};
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_chunk chunk = DC_CHUNK_INIT;
    chunk.element = DC_UINT16;
    chunk.filter = 0;
    chunk.height = chunk.width = SIDE;
    dc_processing with = DC_PROCESSING_INIT;
    with.no_sum = 1;
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    options.n_workers = 0;
    options.columns = columns;
    options.n_columns = n_columns;
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    dc_recorder *recorder;
    check(dc_recorder_create(&hdf5, file, "data", &chunk, 0, &with, &options, &recorder));
    static uint16_t frame[SIDE * SIDE];
    double row[N_COLUMNS];
    double start = cpu_us();
    for (uint64_t number = 0; number < N_FRAMES; number++) {
        for (int i = 0; i < N_COLUMNS; i++) row[i] = (double)number;
        check(dc_recorder_push_copy(recorder, number, frame, n_columns ? row : NULL, NULL));
    }
    check(dc_recorder_finish(recorder));
    double us = (cpu_us() - start) / N_FRAMES;
    dc_recorder_free(recorder);
    H5Fclose(file);
    return us;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    double best[2] = {1e9, 1e9};
    for (int turns = atoi(argv[1]); turns > 0; turns--) {
        for (int i = 0; i < 2; i++) {
            double us = turn(argv[2], i ? N_COLUMNS : 0);
            if (us < best[i]) best[i] = us;
        }
    }
    remove(argv[2]);
    printf("{\"name\": \"C, dc_recorder_push_copy\", \"without\": %f, \"with\": %f}\n", best[0], best[1]);
    return 0;
}
