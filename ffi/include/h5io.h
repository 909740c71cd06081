/*
 * h5io: a library that processes slices of HDF5 datasets, and knows neither HDF5 nor threads.
 *
 * A library is one C or C++ file with the seven functions below, as static functions or not, and at its end
 *
 *     H5IO_LIBRARY(h5io_context, "name", "1.0")
 *
 * which makes the one symbol that a host looks for. To compile and run it:
 *
 *     gcc -O2 -shared -fPIC -o library.so library.c -I<folder of this file>
 *     darkchunk slices run data.h5 -l ./library.so -o results.h5 -- name=value ...
 *
 * In this order a host calls, all on one thread, for each context: h5io_init; for each input request_input and set_input_slice; for each
 * output request_output; then, on other threads, process for the slices; and processing_complete. A function returns 0 where all is
 * well. Another value ends the run, and get_error_code is asked what it means. A library never ends the process, by exit, _exit or
 * abort: where one may, --isolate has it cost a slice. docs/slices.md has a guide.
 *
 * Versions: structures begin with their size, and only ever grow at their end; H5IO_ABI changes when something else does.
 */
#ifndef H5IO_H
#define H5IO_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define H5IO_ABI 1
#define H5IO_MAX_RANK 32

/* What process may return besides 0 and the library's own codes, which are greater than 0. */
#define H5IO_SKIP (-1) /* these slices have no outputs, and that is well: they stay 0, and their status is 1 */
#define H5IO_STOP (-2) /* neither these slices nor those after them: the run ends well */

/* Element types. */
enum {
    h5io_same = 0, /* for outputs: as input 0 */
    h5io_int8 = 1,
    h5io_uint8 = 2,
    h5io_int16 = 3,
    h5io_uint16 = 4,
    h5io_int32 = 5,
    h5io_uint32 = 6,
    h5io_int64 = 7,
    h5io_uint64 = 8,
    h5io_float32 = 9,
    h5io_float64 = 10,
    h5io_bytes = 100 /* of inputs: anything else, element_bytes of it */
};

/* Who may call process at the same time. */
enum {
    h5io_one = 0,     /* one thread, one context */
    h5io_context = 1, /* several threads, each with a context of its own: all functions are called for each context */
    h5io_any = 2      /* several threads, one context */
};

/* What a host tells a library. It is there until h5io_init has returned; its strings are until processing_complete has. */
typedef struct {
    uint32_t struct_size;
    uint32_t abi;        /* the host's */
    int32_t rank;        /* this process among several, from 0 on */
    int32_t n_ranks;
    int32_t worker;      /* the context, from 0 on */
    int32_t n_workers;   /* threads that will call process */
    int32_t has_output;  /* whether there is a file for outputs: without one n_outputs must be 0 */
    int32_t n_arguments;
    const char *const *arguments; /* "name=value" */
    const char *file;    /* the file that inputs are in */
} h5io_global_param_t;

/* An array, in C order. */
typedef struct {
    uint32_t struct_size;
    int32_t type;
    uint64_t element_bytes;
    int32_t rank;
    int32_t is_fixed;             /* an input without a slicing axis: the same data in every call */
    int64_t shape[H5IO_MAX_RANK]; /* in set_input_slice the dataset's, in process that of data */
    int64_t n_slices;             /* of this call; 1 unless set_block asks for more */
    int64_t before;               /* with padding: entries of data's first axis before the first slice of the call */
    int64_t n_axes;               /* slicing axes */
    int64_t place[H5IO_MAX_RANK]; /* of the first slice of the call along each of them, the slowest first */
    void *data;                   /* of process: begins at a multiple of 64 bytes; inputs must not be written to */
} h5io_dataspace_t;

/* What a library is. A host reads no more than struct_size bytes of it; functions that may be NULL say so. */
typedef struct {
    uint32_t struct_size;
    uint32_t abi;
    int32_t threads;     /* h5io_one, h5io_context or h5io_any */
    int32_t reserved;    /* 0 */
    const char *name;    /* may be NULL */
    const char *version; /* may be NULL */

    /* Begins. *context is the library's own. All other functions are called only where this has returned 0. */
    int (*h5io_init)(void **context, const h5io_global_param_t *param, int *n_inputs, int *n_outputs);

    /* Where input `input_index` is in the file: *location is the library's, until processing_complete has returned. */
    int (*request_input)(void *context, int input_index, const char **location);

    /*
     * How that dataset is sliced. slicing_map has an entry for each of its axes, all 0: 0 where a slice has all of the axis, k where it has
     * one place of slicing axis k; 1 is the slowest. Axes with the same k are equally long. An input without a slicing axis is read once.
     */
    int (*set_input_slice)(void *context, int input_index, const h5io_dataspace_t *input, int *slicing_map);

    /*
     * What output `output_index` is to be: *location its path in the file of results, output->rank, shape and type. An axis of -k is as
     * long as slicing axis k; each of these is there once.
     */
    int (*request_output)(void *context, int output_index, const char **location, h5io_dataspace_t *output);

    /*
     * Makes the outputs of slice `slice_number`, counted over all slicing axes. Inputs have the axes that are 0 in their map, in their
     * order, outputs those that are not negative; all their elements are to be written, and are 0 before. Memory is the host's, and
     * there until the function returns. Slices come in ascending order for each context, but not all of them to each. It must not use
     * the host's HDF5.
     */
    int (*process)(void *context, int64_t slice_number, int n_inputs, const h5io_dataspace_t *inputs, int n_outputs,
                   const h5io_dataspace_t *outputs);

    /* Ends, on the thread that began: once for each context whose h5io_init has returned 0, after the last process, and after errors. */
    int (*processing_complete)(void *context);

    /* What a code means; the text is the library's. Called on any thread; context is NULL where h5io_init or processing_complete has failed. */
    const char *(*get_error_code)(void *context, int error_code);

    /*
     * NULL, or: how many slices before and after are handed in with each, along the fastest slicing axis, which the input must have. Data
     * then have a first axis of before + n_slices + after entries. Beyond an end there is the outermost slice again.
     */
    int (*set_padding)(void *context, int input_index, int *before, int *after);

    /*
     * NULL, or: how many slices a call may have, one after the other along the fastest slicing axis. Where that is more than 1, outputs,
     * and inputs that have this axis, have a first axis of their own for it. Calls may have fewer: n_slices says how many.
     */
    int (*set_block)(void *context, int *max_slices);
} h5io_library_t;

/* The one symbol of a library; NULL where it cannot serve such a host. */
typedef const h5io_library_t *(*h5io_library_function)(uint32_t host_abi);

#if defined(_WIN32)
#define H5IO_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define H5IO_EXPORT __attribute__((visibility("default")))
#else
#define H5IO_EXPORT
#endif

#ifdef __cplusplus
#define H5IO_C extern "C"
#else
#define H5IO_C
#endif

/* A library of the seven functions by their names, and with padding and block, which may be NULL. */
#define H5IO_LIBRARY_WITH(threads, name, version, set_padding, set_block)                                               \
    H5IO_C H5IO_EXPORT const h5io_library_t *h5io_library(uint32_t host_abi);                                           \
    H5IO_C H5IO_EXPORT const h5io_library_t *h5io_library(uint32_t host_abi)                                            \
    {                                                                                                                   \
        static const h5io_library_t library = {                                                                         \
            sizeof(h5io_library_t), H5IO_ABI, threads, 0, name, version, h5io_init, request_input, set_input_slice,     \
            request_output, process, processing_complete, get_error_code, set_padding, set_block};                      \
        return host_abi >= H5IO_ABI ? &library : NULL;                                                                  \
    }
#define H5IO_LIBRARY(threads, name, version) H5IO_LIBRARY_WITH(threads, name, version, NULL, NULL)

/* The value of an argument "name=value", or `otherwise`. */
static inline const char *h5io_argument(const h5io_global_param_t *param, const char *name, const char *otherwise)
{
    size_t length = strlen(name);
    int i;
    for (i = 0; i < param->n_arguments; i++) {
        const char *argument = param->arguments[i];
        if (strncmp(argument, name, length) == 0 && argument[length] == '=') {
            return argument + length + 1;
        }
    }
    return otherwise;
}

#ifdef __cplusplus
}
#endif

#endif
