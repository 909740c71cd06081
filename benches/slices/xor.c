/* For `bench slices`: reads each slice once, at the speed of memory, and says how long all of it took, from h5io_init on. */
#include "h5io.h"

#include <stdio.h>
#include <time.h>

static struct timespec begin;

static int h5io_init(void **context, const h5io_global_param_t *param, int *n_inputs, int *n_outputs)
{
    (void)context;
    *n_inputs = 1;
    *n_outputs = param->has_output;
    return timespec_get(&begin, TIME_UTC) == TIME_UTC ? 0 : 1;
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
    return input->rank == 3 ? 0 : 1;
}

static int request_output(void *context, int output_index, const char **location, h5io_dataspace_t *output)
{
    (void)context, (void)output_index;
    *location = "xor";
    output->type = h5io_uint64;
    output->rank = 1;
    output->shape[0] = -1;
    return 0;
}

static int process(void *context, int64_t slice_number, int n_inputs, const h5io_dataspace_t *inputs, int n_outputs,
                   const h5io_dataspace_t *outputs)
{
    const uint64_t *words = (const uint64_t *)inputs[0].data;
    int64_t n = inputs[0].shape[0] * inputs[0].shape[1] * (int64_t)inputs[0].element_bytes / 8, i;
    uint64_t all = 0;
    (void)context, (void)slice_number, (void)n_inputs;
    for (i = 0; i < n; i++) {
        all ^= words[i];
    }
    if (n_outputs > 0) {
        *(uint64_t *)outputs[0].data = all;
    }
    return 0;
}

static int processing_complete(void *context)
{
    struct timespec end;
    (void)context;
    timespec_get(&end, TIME_UTC);
    printf("{\"seconds\": %.6f}\n", (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec));
    return fflush(stdout);
}

static const char *get_error_code(void *context, int error_code)
{
    (void)context, (void)error_code;
    return "the input is no stack of images";
}

H5IO_LIBRARY(h5io_any, "xor", "1.0")
