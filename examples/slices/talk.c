/*
 * The example of the talk by which h5io began: images, a dark image for each, the positions of a motor; for each image one of 512 x 512
 * numbers.
 *
 *     gcc -O2 -shared -fPIC -o talk.so talk.c -I../../dist/include
 *     darkchunk slices run data.h5 -l ./talk.so -o results.h5
 *
 * /data/imagedata      [1024, 1024, n]  sliced along its last axis
 * /data/darkdata       [1024, n]        a line for each image
 * /data/motorposition  [25, 30]         not sliced: the same in every call
 * output/data          [512, 512, n]    int32: the sum of 2 x 2 pixels, less the dark line, plus the mean position
 */
#include "h5io.h"

#include <stdlib.h>

enum { SIZE = 1024, HALF = SIZE / 2 };

/* The codes of this library. */
enum { NO_MEMORY = 1, BAD_SHAPE, BAD_TYPE, BAD_INPUT };

/* What it keeps from its begin to its end. */
typedef struct {
    int64_t n_images;
} state_t;

static int h5io_init(void **context, const h5io_global_param_t *param, int *n_inputs, int *n_outputs)
{
    state_t *state = (state_t *)calloc(1, sizeof *state);
    (void)param;
    if (state == NULL) {
        return NO_MEMORY;
    }
    *context = state;
    *n_inputs = 3;
    *n_outputs = 1;
    return 0;
}

static int request_input(void *context, int input_index, const char **location)
{
    static const char *const locations[] = {"/data/imagedata", "/data/darkdata", "/data/motorposition"};
    (void)context;
    *location = locations[input_index];
    return 0;
}

static int set_input_slice(void *context, int input_index, const h5io_dataspace_t *input, int *slicing_map)
{
    state_t *state = (state_t *)context;
    if (input_index < 2 && input->type != h5io_uint16) {
        return BAD_TYPE;
    }
    switch (input_index) {
    case 0: /* [0, 0, 1]: an image is all of the first two axes, at one place of the third */
        if (input->rank != 3 || input->shape[0] != SIZE || input->shape[1] != SIZE) {
            return BAD_SHAPE;
        }
        slicing_map[2] = 1;
        state->n_images = input->shape[2];
        return 0;
    case 1: /* [0, 1] */
        if (input->rank != 2 || input->shape[0] != SIZE || input->shape[1] != state->n_images) {
            return BAD_SHAPE;
        }
        slicing_map[1] = 1;
        return 0;
    case 2: /* [0, 0] */
        return input->type == h5io_float64 && input->rank == 2 ? 0 : BAD_SHAPE;
    default:
        return BAD_INPUT;
    }
}

static int request_output(void *context, int output_index, const char **location, h5io_dataspace_t *output)
{
    (void)context;
    (void)output_index;
    *location = "output/data";
    output->type = h5io_int32;
    output->rank = 3;
    output->shape[0] = HALF;
    output->shape[1] = HALF;
    output->shape[2] = -1;
    return 0;
}

static int process(void *context, int64_t slice_number, int n_inputs, const h5io_dataspace_t *inputs, int n_outputs,
                   const h5io_dataspace_t *outputs)
{
    const uint16_t *image = (const uint16_t *)inputs[0].data;
    const uint16_t *dark = (const uint16_t *)inputs[1].data;
    const double *position = (const double *)inputs[2].data;
    int32_t *out = (int32_t *)outputs[0].data;
    int64_t n_positions = inputs[2].shape[0] * inputs[2].shape[1];
    double mean = 0;
    int64_t i;
    int y, x;
    (void)context;
    (void)slice_number;
    (void)n_inputs;
    (void)n_outputs;
    for (i = 0; i < n_positions; i++) {
        mean += position[i] / (double)n_positions;
    }
    for (y = 0; y < HALF; y++) {
        for (x = 0; x < HALF; x++) {
            const uint16_t *at = image + 2 * y * SIZE + 2 * x;
            int32_t sum = at[0] + at[1] + at[SIZE] + at[SIZE + 1];
            out[y * HALF + x] = sum - 2 * dark[2 * y] - 2 * dark[2 * y + 1] + (int32_t)mean;
        }
    }
    return 0;
}

static int processing_complete(void *context)
{
    free(context);
    return 0;
}

static const char *get_error_code(void *context, int error_code)
{
    (void)context;
    switch (error_code) {
    case NO_MEMORY:
        return "no memory";
    case BAD_SHAPE:
        return "images are [1024, 1024, n], dark lines [1024, n], positions a table";
    case BAD_TYPE:
        return "images and dark lines are uint16";
    default:
        return "there is no such input";
    }
}

/* process has no state, so several threads may call it. */
H5IO_LIBRARY(h5io_any, "talk", "1.0")
