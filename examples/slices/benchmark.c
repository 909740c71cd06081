/*
 * How fast slices of a dataset come, and whether they are what they should be: bytes, a checksum of each slice, and how long a worker
 * waited for the next.
 *
 *     gcc -O2 -shared -fPIC -o benchmark.so benchmark.c -I../../dist/include
 *     darkchunk slices run scan.h5 -l ./benchmark.so -q -- input=/entry/data/data map=0,1,0
 *
 * It prints one JSON line at its end. With -o the checksums become the output `checksum`, of the slicing axes: FNV-1a of 64 bits over the
 * bytes of a slice.
 *
 * input=PATH  the dataset; /entry/data/data if not said
 * map=N,N,…   its slicing map; 1,0,0,… if not said
 */
#include "h5io.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { NO_MEMORY = 1, BAD_MAP };

typedef struct {
    const char *input;
    const char *map;
    int has_output;
    int n_workers;
    int n_axes;
    int64_t n_slices;
    int64_t slice_bytes;
    double began;
    uint64_t *checksums; /* of each slice */
    double *waited;      /* seconds before each slice; each has an entry of its own, so no lock is needed */
} state_t;

static double now(void)
{
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int h5io_init(void **context, const h5io_global_param_t *param, int *n_inputs, int *n_outputs)
{
    state_t *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return NO_MEMORY;
    }
    state->input = h5io_argument(param, "input", "/entry/data/data");
    state->map = h5io_argument(param, "map", "1");
    state->has_output = param->has_output;
    state->n_workers = param->n_workers;
    *context = state;
    *n_inputs = 1;
    *n_outputs = param->has_output ? 1 : 0;
    return 0;
}

static int request_input(void *context, int input_index, const char **location)
{
    (void)input_index;
    *location = ((state_t *)context)->input;
    return 0;
}

static int set_input_slice(void *context, int input_index, const h5io_dataspace_t *input, int *slicing_map)
{
    state_t *state = context;
    const char *text = state->map;
    int axis;
    (void)input_index;
    state->n_slices = 1;
    state->slice_bytes = (int64_t)input->element_bytes;
    for (axis = 0; axis < input->rank; axis++) {
        char *end = NULL;
        long k = *text == '\0' ? 0 : strtol(text, &end, 10);
        if (*text != '\0' && (end == text || (*end != ',' && *end != '\0') || k < 0 || k > H5IO_MAX_RANK)) {
            return BAD_MAP;
        }
        text = end == NULL ? text : (*end == ',' ? end + 1 : end);
        slicing_map[axis] = (int)k;
        state->n_axes = k > state->n_axes ? (int)k : state->n_axes;
        *(k > 0 ? &state->n_slices : &state->slice_bytes) *= input->shape[axis];
    }
    if (*text != '\0' || state->n_slices < 0 || (uint64_t)state->n_slices > SIZE_MAX / sizeof(double)) {
        return BAD_MAP;
    }
    state->checksums = calloc((size_t)state->n_slices + 1, sizeof *state->checksums);
    state->waited = calloc((size_t)state->n_slices + 1, sizeof *state->waited);
    state->began = now();
    return state->checksums != NULL && state->waited != NULL ? 0 : NO_MEMORY;
}

static int request_output(void *context, int output_index, const char **location, h5io_dataspace_t *output)
{
    const state_t *state = context;
    int axis;
    (void)output_index;
    *location = "checksum";
    output->type = h5io_uint64;
    output->rank = state->n_axes;
    for (axis = 0; axis < state->n_axes; axis++) {
        output->shape[axis] = -(axis + 1);
    }
    return 0;
}

static int process(void *context, int64_t slice_number, int n_inputs, const h5io_dataspace_t *inputs, int n_outputs,
                   const h5io_dataspace_t *outputs)
{
    static _Thread_local double last = 0;
    static _Thread_local const void *last_of = NULL;
    state_t *state = context;
    const unsigned char *bytes = inputs[0].data;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    int64_t i;
    (void)n_inputs;
    state->waited[slice_number] = now() - (last_of == context ? last : state->began);
    for (i = 0; i < state->slice_bytes; i++) {
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    state->checksums[slice_number] = sum;
    if (n_outputs == 1) {
        memcpy(outputs[0].data, &sum, sizeof sum);
    }
    last = now();
    last_of = context;
    return 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const state_t *state)
{
    double seconds = now() - state->began;
    int64_t n = state->n_slices, n_done = 0, i;
    uint64_t all = UINT64_C(0xcbf29ce484222325);
    for (i = 0; i < n; i++) {
        n_done += state->checksums[i] != 0;
        all = (all ^ state->checksums[i]) * UINT64_C(0x100000001b3);
    }
    if (n_done == 0) {
        return; /* only a plan was made */
    }
    qsort(state->waited, (size_t)n, sizeof *state->waited, ascending);
    printf("{\"slices\": %lld, \"done\": %lld, \"slice_bytes\": %lld, \"bytes\": %lld, \"workers\": %d, \"seconds\": %.6f, "
           "\"slices_per_second\": %.1f, \"gb_per_second\": %.4f, \"wait_ms\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, "
           "\"max\": %.3f}, \"checksum\": \"%016llx\"}\n",
           (long long)n, (long long)n_done, (long long)state->slice_bytes, (long long)(n * state->slice_bytes), state->n_workers,
           seconds, (double)n / seconds, (double)n * (double)state->slice_bytes / seconds / 1e9,
           state->waited[n / 2] * 1e3, state->waited[n * 9 / 10] * 1e3, state->waited[n * 99 / 100] * 1e3,
           state->waited[n - 1] * 1e3, (unsigned long long)all);
    fflush(stdout);
}

static int processing_complete(void *context)
{
    state_t *state = context;
    if (state->checksums != NULL && state->waited != NULL) {
        report(state);
    }
    free(state->checksums);
    free(state->waited);
    free(state);
    return 0;
}

static const char *get_error_code(void *context, int error_code)
{
    (void)context;
    return error_code == NO_MEMORY ? "no memory" : "map=N,N,… has up to one number for each axis of the input, 0 to 32";
}

H5IO_LIBRARY(h5io_any, "benchmark", "1.0")
