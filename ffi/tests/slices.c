/* A function of this program over slices of a dataset. */
#include <hdf5.h>

#include "darkchunk.h"
#include "h5io.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, dc_last_error());                       \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { N = 12, HEIGHT = 9, WIDTH = 7, FAILS_AT = 5 };

static int n_begun, n_ended, has_failures, has_output;

static int h5io_init(void **context, const h5io_global_param_t *param, int *n_inputs, int *n_outputs)
{
    (void)context;
    has_failures = h5io_argument(param, "fail", NULL) != NULL;
    has_output = param->has_output;
    *n_inputs = 1;
    *n_outputs = has_output;
    n_begun++;
    return 0;
}

static int request_input(void *context, int input_index, const char **location)
{
    (void)context, (void)input_index;
    *location = "/data";
    return 0;
}

static int set_input_slice(void *context, int input_index, const h5io_dataspace_t *input, int *slicing_map)
{
    (void)context, (void)input_index;
    slicing_map[1] = 1;
    return input->rank == 3 && input->type == h5io_uint16 ? 0 : 1;
}

static int request_output(void *context, int output_index, const char **location, h5io_dataspace_t *output)
{
    (void)context, (void)output_index;
    *location = "sums";
    output->type = h5io_int64;
    output->rank = 1;
    output->shape[0] = -1;
    return 0;
}

static int process(void *context, int64_t slice_number, int n_inputs, const h5io_dataspace_t *inputs, int n_outputs,
                   const h5io_dataspace_t *outputs)
{
    const uint16_t *pixels = (const uint16_t *)inputs[0].data;
    int64_t sum = 0, i;
    (void)context, (void)n_inputs;
    if (has_failures && slice_number == FAILS_AT) return 3;
    for (i = 0; i < inputs[0].shape[0] * inputs[0].shape[1]; i++) sum += pixels[i];
    if (n_outputs > 0) *(int64_t *)outputs[0].data = sum;
    return 0;
}

static int processing_complete(void *context)
{
    (void)context;
    n_ended++;
    return 0;
}

static const char *get_error_code(void *context, int error_code)
{
    (void)context, (void)error_code;
    return "as it was told";
}

H5IO_LIBRARY(h5io_any, "sums", "1.0")

static char OUTPUT[4000];

static void make(const char *path)
{
    static uint16_t pixels[N][HEIGHT][WIDTH];
    hsize_t dims[3] = {N, HEIGHT, WIDTH}, chunk[3] = {1, HEIGHT, WIDTH};
    for (int n = 0; n < N; n++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) pixels[n][y][x] = (uint16_t)(100 * n + 10 * y + x);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(3, dims, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 3, chunk);
    hid_t data = H5Dcreate2(file, "data", H5T_STD_U16LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    CHECK(H5Dwrite(data, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >= 0);
    H5Dclose(data), H5Pclose(list), H5Sclose(space), H5Fclose(file);
}

static void check(int lost)
{
    int64_t sums[HEIGHT];
    hid_t file = H5Fopen(OUTPUT, H5F_ACC_RDONLY, H5P_DEFAULT), data = H5Dopen2(file, "sums", H5P_DEFAULT);
    CHECK(H5Dread(data, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, sums) >= 0);
    for (int y = 0; y < HEIGHT; y++) {
        int64_t expected = (100 * (N * (N - 1) / 2) + 10 * y * N) * WIDTH + N * (WIDTH * (WIDTH - 1) / 2);
        CHECK(sums[y] == (y == lost ? 0 : expected));
    }
    H5Dclose(data), H5Fclose(file);
}

static void runs(const dc_hdf5 *hdf5, const char *path)
{
    const char *const fail[] = {"fail=1"};
    uint64_t n_done = 0;
    dc_slices *slices = NULL;
    dc_slices_options options = DC_SLICES_OPTIONS_INIT;
    dc_slices_plan plan = DC_SLICES_PLAN_INIT;
    dc_slices_summary found = DC_SLICES_SUMMARY_INIT;
    options.output = OUTPUT, options.n_threads = 2, options.n_ranks = 1, options.n_done = &n_done;
    for (int round = 0; round < 3; round++) {
        int lost = round == 2 ? FAILS_AT : -1;
        /* Well; one fails; one fails and the run goes on. */
        options.arguments = fail, options.n_arguments = round > 0, options.keep_going = round == 2;
        remove(OUTPUT);
        CHECK(dc_slices_open(hdf5, path, h5io_library(H5IO_ABI), &options, &slices) == DC_OK);
        CHECK(dc_slices_plan_of(slices, &plan) == DC_OK && plan.n_axes == 1 && plan.extents[0] == HEIGHT);
        CHECK(plan.first == 0 && plan.end == HEIGHT && plan.n_bytes == N * HEIGHT * WIDTH * 2 && plan.memory > 0);
        dc_status status = dc_slices_run(slices, &found);
        if (round == 1) {
            CHECK(status != DC_OK && strstr(dc_last_error(), "slice 5: process says 3: as it was told"));
        } else {
            CHECK(status == DC_OK && found.n_done + found.n_failed == HEIGHT && found.n_failed == (uint64_t)(lost >= 0));
            CHECK(n_done == HEIGHT && found.decoded_bytes >= plan.n_bytes);
            check(lost);
        }
        dc_slices_free(slices);
        CHECK(n_begun == round + 1 && n_ended == n_begun);
    }
}

static void misuse(const dc_hdf5 *hdf5, const char *path)
{
    int32_t stop = 1;
    dc_slices *slices = NULL;
    dc_slices_options options = DC_SLICES_OPTIONS_INIT;
    dc_slices_summary found = DC_SLICES_SUMMARY_INIT;
    h5io_library_t library = *h5io_library(H5IO_ABI);
    CHECK(dc_slices_open(hdf5, path, NULL, &options, &slices) == DC_NULL);
    CHECK(dc_slices_open(hdf5, NULL, &library, &options, &slices) == DC_NULL);
    CHECK(dc_slices_open(hdf5, path, &library, NULL, &slices) == DC_NULL);
    CHECK(dc_slices_open(hdf5, "/nowhere.h5", &library, &options, &slices) != DC_OK && strstr(dc_last_error(), "/nowhere.h5"));
    library.abi = 77;
    CHECK(dc_slices_open(hdf5, path, &library, &options, &slices) == DC_ARGUMENT && strstr(dc_last_error(), "ABI 77"));
    options.size = 1;
    CHECK(dc_slices_open(hdf5, path, h5io_library(H5IO_ABI), &options, &slices) == DC_ARGUMENT && !slices);
    options.size = sizeof options, options.n_ranks = 1, options.stop = &stop;
    CHECK(dc_slices_open(hdf5, path, h5io_library(H5IO_ABI), &options, &slices) == DC_OK);
    CHECK(dc_slices_run(slices, &found) != DC_OK);
    dc_slices_free(slices);
    dc_slices_free(NULL);
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    const dc_hdf5 hdf5 = dc_hdf5_from_headers();
    snprintf(OUTPUT, sizeof OUTPUT, "%s.sums.h5", argv[1]);
    make(argv[1]);
    runs(&hdf5, argv[1]);
    misuse(&hdf5, argv[1]);
    remove(OUTPUT);
    puts("a function over slices: well");
    return 0;
}
