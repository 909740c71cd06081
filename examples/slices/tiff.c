/*
 * One TIFF file a slice, uncompressed, of whole numbers of 8 to 64 bits and of floating-point numbers; BigTIFF where 4 GB are not enough.
 *
 *     gcc -O2 -shared -fPIC -o tiff.so tiff.c -I../../dist/include
 *     darkchunk slices run scan.h5 -l ./tiff.so -- input=/entry/data/data map=0,1,0 folder=sinograms
 *
 * A file has its name when it is complete. One that is there already is replaced.
 *
 * input=PATH   the dataset; /entry/data/data if not said
 * map=N,N,…    its slicing map; 1,0,0,… if not said. A slice must be an image, or a line
 * folder=PATH  where the files go, which must be there; this folder if not said
 * name=TEXT    what they begin with; slice_ if not said. The slice's number follows, of as many digits as the last one has, and .tif
 * big=1        always BigTIFF
 */
#include "h5io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { NO_MEMORY = 1, BAD_MAP, BAD_IMAGE, BAD_TYPE, LONG_PATH, SYSTEM = 1000 /* and errno */ };
enum { PATH_BYTES = 4096, STRIP_BYTES = 8 << 20, MAX_TAGS = 16 };

/* Field types of TIFF. */
enum { SHORT = 3, LONG = 4, RATIONAL = 5, LONG8 = 16 };

typedef struct {
    const char *input, *map, *folder, *name;
    int digits, is_big, type;
    uint64_t width, height, element_bytes;
} state_t;

static int h5io_init(void **context, const h5io_global_param_t *param, int *n_inputs, int *n_outputs)
{
    state_t *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return NO_MEMORY;
    }
    state->input = h5io_argument(param, "input", "/entry/data/data");
    state->map = h5io_argument(param, "map", "1");
    state->folder = h5io_argument(param, "folder", ".");
    state->name = h5io_argument(param, "name", "slice_");
    state->is_big = atoi(h5io_argument(param, "big", "0"));
    *context = state;
    *n_inputs = 1;
    *n_outputs = 0;
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
    int axis, n_core = 0;
    int64_t n_slices = 1;
    uint64_t core[2] = {1, 1}, rows;
    (void)input_index;
    for (axis = 0; axis < input->rank; axis++) {
        char *end = NULL;
        long k = *text == '\0' ? 0 : strtol(text, &end, 10);
        if (*text != '\0' && (end == text || (*end != ',' && *end != '\0') || k < 0 || k > H5IO_MAX_RANK)) {
            return BAD_MAP;
        }
        text = end == NULL ? text : (*end == ',' ? end + 1 : end);
        slicing_map[axis] = (int)k;
        if (k > 0) {
            n_slices *= input->shape[axis];
        } else if (n_core < 2) {
            core[0] = core[1];
            core[1] = (uint64_t)input->shape[axis];
            n_core++;
        } else {
            return BAD_IMAGE;
        }
    }
    if (*text != '\0') {
        return BAD_MAP;
    }
    rows = core[0];
    if (rows == 0 || core[1] == 0 || rows > UINT32_MAX || core[1] > UINT32_MAX) {
        return BAD_IMAGE;
    }
    if (input->type == h5io_bytes) {
        return BAD_TYPE;
    }
    state->height = rows;
    state->width = core[1];
    state->type = input->type;
    state->element_bytes = input->element_bytes;
    state->digits = snprintf(NULL, 0, "%lld", (long long)(n_slices > 0 ? n_slices - 1 : 0));
    /* The tables of strips are far below a megabyte. */
    state->is_big |= rows * core[1] * input->element_bytes > UINT64_C(0xfff00000);
    return 0;
}

static int request_output(void *context, int output_index, const char **location, h5io_dataspace_t *output)
{
    (void)context;
    (void)output_index;
    (void)location;
    (void)output;
    return 0;
}

/* A file of this machine's byte order that is being written. */
typedef struct {
    FILE *file;
    int is_big;
    uint64_t at;
    unsigned char tags[MAX_TAGS * 20];
    int n_tags;
} tiff_t;

static void put(tiff_t *tiff, const void *bytes, size_t n_bytes)
{
    /* What is not written is seen by ferror. */
    fwrite(bytes, 1, n_bytes, tiff->file);
    tiff->at += n_bytes;
}

/* A number of 2, 4 or 8 bytes. */
static void put_number(tiff_t *tiff, uint64_t number, int n_bytes)
{
    uint16_t two = (uint16_t)number;
    uint32_t four = (uint32_t)number;
    put(tiff, n_bytes == 2 ? (void *)&two : n_bytes == 4 ? (void *)&four : (void *)&number, (size_t)n_bytes);
}

/* Adds a tag with one value, or with the place of several. */
static void tag(tiff_t *tiff, uint16_t name, uint16_t type, uint64_t count, uint64_t value)
{
    int size = tiff->is_big ? 8 : 4, entry = 4 + 2 * size;
    unsigned char *at = tiff->tags + tiff->n_tags++ * entry;
    uint32_t count4 = (uint32_t)count, value4 = (uint32_t)value;
    uint16_t value2 = (uint16_t)value;
    memset(at, 0, (size_t)entry);
    memcpy(at, &name, 2);
    memcpy(at + 2, &type, 2);
    memcpy(at + 4, tiff->is_big ? (void *)&count : (void *)&count4, (size_t)size);
    if (type == SHORT && count == 1) {
        memcpy(at + 4 + size, &value2, 2);
    } else if ((type == LONG && count == 1) || !tiff->is_big) {
        memcpy(at + 4 + size, &value4, 4);
    } else {
        memcpy(at + 4 + size, &value, 8);
    }
}

/* Where strips are, or how long; the place of the table, or of one the value itself. */
static uint64_t table(tiff_t *tiff, uint64_t n, uint64_t first, uint64_t step, uint64_t last)
{
    uint64_t at, i;
    if (n == 1) {
        return first < last ? first : last;
    }
    at = tiff->at;
    for (i = 0; i < n; i++) {
        uint64_t value = step > 0 ? first + i * step : i + 1 < n ? first : last;
        put_number(tiff, value, tiff->is_big ? 8 : 4);
    }
    return at;
}

static void put_image(tiff_t *tiff, const state_t *state, const void *pixels)
{
    static const uint16_t formats[] = {0, 2, 1, 2, 1, 2, 1, 2, 1, 3, 3}; /* by h5io's types: signed, unsigned, floating-point */
    uint64_t row_bytes = state->width * state->element_bytes;
    uint64_t rows = row_bytes >= STRIP_BYTES ? 1 : STRIP_BYTES / row_bytes;
    uint64_t n_strips, first, offsets, lengths, resolution, directory, last;
    const uint16_t one = 1;
    int size = tiff->is_big ? 8 : 4;
    uint16_t wide = tiff->is_big ? LONG8 : LONG;
    rows = rows < state->height ? rows : state->height;
    n_strips = (state->height + rows - 1) / rows;
    put(tiff, *(const unsigned char *)&one ? "II" : "MM", 2);
    put_number(tiff, tiff->is_big ? 43 : 42, 2);
    if (tiff->is_big) {
        put_number(tiff, 8, 2);
        put_number(tiff, 0, 2);
    }
    first = tiff->at + (uint64_t)size;
    last = first + row_bytes * state->height;
    resolution = (last + 7) / 8 * 8;
    /* The tables are as long as the directory must know, so its place is known before. */
    directory = resolution + 8 + (n_strips > 1 ? 2 * n_strips * (uint64_t)size : 0);
    put_number(tiff, directory, size);
    put(tiff, pixels, (size_t)(row_bytes * state->height));
    put(tiff, "\0\0\0\0\0\0\0", (size_t)(resolution - last));
    put_number(tiff, 1, 4);
    put_number(tiff, 1, 4);
    offsets = table(tiff, n_strips, first, rows * row_bytes, UINT64_MAX);
    lengths = table(tiff, n_strips, rows * row_bytes, 0, (state->height - (n_strips - 1) * rows) * row_bytes);
    tag(tiff, 256, LONG, 1, state->width);
    tag(tiff, 257, LONG, 1, state->height);
    tag(tiff, 258, SHORT, 1, 8 * state->element_bytes);
    tag(tiff, 259, SHORT, 1, 1); /* not compressed */
    tag(tiff, 262, SHORT, 1, 1); /* 0 is black */
    tag(tiff, 273, wide, n_strips, offsets);
    tag(tiff, 277, SHORT, 1, 1); /* one sample a pixel */
    tag(tiff, 278, LONG, 1, rows);
    tag(tiff, 279, wide, n_strips, lengths);
    tag(tiff, 282, RATIONAL, 1, tiff->is_big ? 0 : resolution);
    tag(tiff, 283, RATIONAL, 1, tiff->is_big ? 0 : resolution);
    tag(tiff, 296, SHORT, 1, 1); /* of no unit */
    tag(tiff, 339, SHORT, 1, formats[state->type]);
    if (tiff->is_big) {
        /* A rational fits into the directory of a BigTIFF. */
        uint32_t ratio[2] = {1, 1};
        memcpy(tiff->tags + 9 * 20 + 12, ratio, 8);
        memcpy(tiff->tags + 10 * 20 + 12, ratio, 8);
    }
    put_number(tiff, (uint64_t)tiff->n_tags, tiff->is_big ? 8 : 2);
    put(tiff, tiff->tags, (size_t)tiff->n_tags * (size_t)(4 + 2 * size));
    put_number(tiff, 0, size);
}

static int process(void *context, int64_t slice_number, int n_inputs, const h5io_dataspace_t *inputs, int n_outputs,
                   const h5io_dataspace_t *outputs)
{
    const state_t *state = context;
    char path[PATH_BYTES], unfinished[PATH_BYTES + 8];
    tiff_t tiff;
    int length, error;
    (void)n_inputs;
    (void)n_outputs;
    (void)outputs;
    length = snprintf(path, sizeof path, "%s/%s%0*lld.tif", state->folder, state->name, state->digits, (long long)slice_number);
    if (length < 0 || length >= PATH_BYTES) {
        return LONG_PATH;
    }
    snprintf(unfinished, sizeof unfinished, "%s.tmp", path);
    memset(&tiff, 0, sizeof tiff);
    tiff.is_big = state->is_big;
    tiff.file = fopen(unfinished, "wb");
    if (tiff.file == NULL) {
        return SYSTEM + errno;
    }
    errno = 0;
    put_image(&tiff, state, inputs[0].data);
    error = ferror(tiff.file) ? errno : 0;
    if (fclose(tiff.file) != 0 && error == 0) {
        error = errno;
    }
    if (error == 0 && rename(unfinished, path) != 0) {
        error = errno;
    }
    if (error != 0) {
        remove(unfinished);
        return SYSTEM + error;
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
    case BAD_MAP:
        return "map=N,N,… has up to one number for each axis of the input, 0 to 32";
    case BAD_IMAGE:
        return "a slice must be an image or a line: two axes of the map must be 0, or one";
    case BAD_TYPE:
        return "the input is not of whole or floating-point numbers";
    case LONG_PATH:
        return "folder and name are too long";
    default:
        return strerror(error_code - SYSTEM);
    }
}

H5IO_LIBRARY(h5io_any, "tiff", "1.0")
