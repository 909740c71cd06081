/*
 * The recorder from C, with the HDF5 of the program's own headers.
 *
 *   gcc -std=c11 -Wall -Wextra -Werror -I/usr/include/hdf5/serial -Iffi/include ffi/tests/recorder.c -o recorder \
 *       -L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5 -Ltarget/release -ldarkchunk -lm -lpthread
 *   ./recorder out.h5
 */
#include <hdf5.h>

#include <darkchunk.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEIGHT = 16, WIDTH = 32, N_PIXELS = HEIGHT * WIDTH, N_BUFFERS = 8, N_FRAMES = 100 };

#define CHECK(good)                                                                             \
    do {                                                                                        \
        if (!(good)) {                                                                          \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #good, dc_last_error());    \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

static const char *PATH = "/entry/instrument/detector/data";

typedef struct camera {
    int16_t buffers[N_BUFFERS][N_PIXELS];
    atomic_int is_free[N_BUFFERS];
    atomic_int n_released;
} camera;

/* What a frame has beside its pixels: no gaps. */
typedef struct row {
    double time;
    float motors[2];
    uint16_t shot;
} __attribute__((packed)) row;

static int says(const char *words) {
    return strstr(dc_last_error(), words) != NULL;
}

static void make_frame(int16_t *frame, int number) {
    for (int i = 0; i < N_PIXELS; i++) frame[i] = i % (number + 5) == 0 ? (int16_t)(100 + number) : (int16_t)(i % 20);
}

static void give_back(void *context, void *buffer) {
    camera *from = context;
    atomic_store(&from->is_free[(int16_t(*)[N_PIXELS])buffer - from->buffers], 1);
    atomic_fetch_add(&from->n_released, 1);
}

static int keep_bright(void *context, uint64_t number, const dc_measures *measures) {
    (void)number;
    return measures->n_bright >= *(uint64_t *)context;
}

static dc_chunk chunk_of(const uint32_t *threshold) {
    dc_chunk chunk = DC_CHUNK_INIT;
    chunk.element = DC_INT16;
    chunk.filter = DC_DRLE;
    chunk.values = threshold;
    chunk.n_values = 1;
    chunk.height = HEIGHT;
    chunk.width = WIDTH;
    return chunk;
}

static dc_recorder_statistics statistics(const dc_recorder *recorder) {
    dc_recorder_statistics found = {.size = sizeof found};
    CHECK(dc_recorder_statistics_of(recorder, &found) == DC_OK);
    return found;
}

/* What was seen of a recording that has ended. */
static void check_view(const dc_recorder *recorder) {
    static int64_t sum[N_PIXELS], expected[N_PIXELS];
    static int16_t frame[N_PIXELS], last[N_PIXELS];
    uint64_t n_frames, number;
    int is_there;
    CHECK(dc_recorder_live_sum(recorder, 14, sum, N_PIXELS, &n_frames) == DC_OK && n_frames == 1);
    make_frame(frame, 14);
    for (int i = 0; i < N_PIXELS; i++) expected[i] = frame[i] < 20 ? 0 : frame[i];
    CHECK(memcmp(sum, expected, sizeof sum) == 0);
    CHECK(dc_recorder_live_sum(recorder, DC_ALL_CLASSES, sum, N_PIXELS, &n_frames) == DC_OK && n_frames == 67);
    CHECK(dc_recorder_live_sum(recorder, 20, sum, N_PIXELS, &n_frames) == DC_ARGUMENT && says("there are 20"));
    CHECK(dc_recorder_live_sum(recorder, 0, sum, 7, &n_frames) == DC_BUFFER_SIZE);
    CHECK(dc_recorder_live_maximum(recorder, last, sizeof last, &n_frames) == DC_OK && n_frames == 67);
    for (int i = 0; i < N_PIXELS; i++) {
        int16_t greatest = 0;
        for (int at = 10; at < 10 + N_FRAMES; at++) {
            make_frame(frame, at);
            if (at % 3 && frame[i] >= 20 && frame[i] > greatest) greatest = frame[i];
        }
        CHECK(last[i] == greatest);
    }
    CHECK(dc_recorder_live_maximum(recorder, last, 7, &n_frames) == DC_BUFFER_SIZE);
    CHECK(dc_recorder_last_frame(recorder, last, sizeof last, &number, &is_there) == DC_OK && is_there && number == 109);
    make_frame(frame, 109);
    for (int i = 0; i < N_PIXELS; i++) CHECK(last[i] == (frame[i] < 20 ? 0 : frame[i]));
    dc_preview previews[1];
    const uint16_t threshold = 5;
    CHECK(dc_recorder_preview(recorder, 2, &threshold, 1, 0.01, previews) == DC_ARGUMENT && says("no frame came"));
}

/* Every third frame is missing, each tenth comes twice; lent, in two strips, or copied. */
static void record(hid_t file, const uint32_t *threshold, int writer_thread) {
    static camera from;
    memset(&from, 0, sizeof from);
    for (int i = 0; i < N_BUFFERS; i++) from.is_free[i] = 1;
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_column columns[] = {{"time", DC_FLOAT64, 0, "s"}, {"motors", DC_FLOAT32, 2, NULL}, {"shot", DC_UINT16, 0, NULL}};
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    options.n_workers = 2;
    options.writer_thread = writer_thread;
    options.first_number = 10;
    options.columns = columns;
    options.n_columns = 3;
    options.class_column = "shot";
    options.n_classes = 20;
    options.maximum = 1;
    options.release = give_back;
    options.release_context = &from;
    dc_chunk chunk = chunk_of(threshold);
    dc_recorder *recorder;
    CHECK(dc_recorder_create(&hdf5, file, PATH, &chunk, 1, NULL, &options, &recorder) == DC_OK);
    int n_lent = 0, pushed;
    size_t row_bytes;
    CHECK(dc_recorder_row_bytes(recorder, &row_bytes) == DC_OK && row_bytes == sizeof(row));
    for (int number = 10; number < 10 + N_FRAMES; number++) {
        if (number % 3 == 0) continue;
        int i = 0;
        while (!atomic_load(&from.is_free[i])) i = (i + 1) % N_BUFFERS;
        row with = {number / 1000.0, {(float)number, -1}, (uint16_t)number};
        int16_t *frame = from.buffers[i];
        make_frame(frame, number);
        if (number % 2) {
            CHECK(dc_recorder_push_copy(recorder, number, frame, &with, &pushed) == DC_OK && pushed == DC_TAKEN);
        } else {
            atomic_store(&from.is_free[i], 0);
            const void *strips[2] = {frame, frame + 100};
            const size_t strip_bytes[2] = {200, 2 * (N_PIXELS - 100)};
            dc_status status = number % 4 ? dc_recorder_push(recorder, number, frame, frame, &with, &pushed)
                                          : dc_recorder_push_strips(recorder, number, strips, strip_bytes, 2, frame, &with,
                                                                    &pushed);
            CHECK(status == DC_OK && pushed == DC_TAKEN);
            n_lent++;
        }
        if (number % 10 == 0) {
            CHECK(dc_recorder_push_copy(recorder, number, frame, NULL, &pushed) == DC_OK && pushed == DC_DUPLICATE);
        }
    }
    static int16_t early[N_PIXELS];
    CHECK(dc_recorder_push_copy(recorder, 9, early, NULL, &pushed) == DC_OK && pushed == DC_OUT_OF_RANGE);
    CHECK(dc_recorder_poll(recorder) == DC_OK && dc_recorder_flush(recorder, 1) == DC_OK);
    dc_recorder_statistics found = statistics(recorder);
    CHECK(found.n_flushed == found.n_stored && found.n_held == 0 && found.n_out_of_range == 1);
    CHECK(dc_recorder_finish(recorder) == DC_OK);
    found = statistics(recorder);
    CHECK(found.n_stored == 67 && found.n_missing == 33 && found.n_duplicate == 7 && found.bytes_stored > 0);
    CHECK(found.n_received == found.n_stored + found.n_duplicate + found.n_out_of_range);
    CHECK(atomic_load(&from.n_released) == n_lent);
    check_view(recorder);
    /* After the end nothing is taken, and the buffer stays the caller's. */
    CHECK(dc_recorder_push(recorder, 500, from.buffers[0], from.buffers[0], NULL, &pushed) == DC_ARGUMENT && says("finished"));
    CHECK(atomic_load(&from.n_released) == n_lent);
    dc_recorder_free(recorder);
}

static void check_file(hid_t file) {
    static int16_t found[N_PIXELS], frame[N_PIXELS], decoded[N_PIXELS];
    static uint8_t status[N_FRAMES], bytes[8 * sizeof found];
    static double time[N_FRAMES];
    char name[200];
    snprintf(name, sizeof name, "%s_darkchunk/frame_status", PATH);
    hid_t column = H5Dopen2(file, name, H5P_DEFAULT);
    CHECK(H5Dread(column, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, status) >= 0);
    H5Dclose(column);
    snprintf(name, sizeof name, "%s_darkchunk/time", PATH);
    column = H5Dopen2(file, name, H5P_DEFAULT);
    CHECK(H5Dread(column, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, time) >= 0);
    H5Dclose(column);
    hid_t dataset = H5Dopen2(file, PATH, H5P_DEFAULT);
    const uint32_t threshold = 20;
    dc_chunk chunk = chunk_of(&threshold);
    for (int index = 0; index < N_FRAMES; index++) {
        int number = index + 10, is_there = number % 3 != 0;
        CHECK(status[index] == is_there);
        if (!is_there) continue;
        CHECK(time[index] == number / 1000.0);
        hsize_t offset[3] = {(hsize_t)index, 0, 0}, n_bytes;
        uint32_t mask = 1;
        CHECK(H5Dget_chunk_storage_size(dataset, offset, &n_bytes) >= 0 && n_bytes <= sizeof bytes);
#if H5_VERSION_GE(2, 0, 0)
        size_t room = sizeof bytes;
        CHECK(H5Dread_chunk2(dataset, H5P_DEFAULT, offset, &mask, bytes, &room) >= 0);
#else
        CHECK(H5Dread_chunk(dataset, H5P_DEFAULT, offset, &mask, bytes) >= 0);
#endif
        CHECK(dc_decode_chunk(&chunk, bytes, n_bytes, found, sizeof found) == DC_OK && mask == 0);
        make_frame(frame, number);
        for (int i = 0; i < N_PIXELS; i++) decoded[i] = frame[i] < 20 ? 0 : frame[i];
        CHECK(memcmp(found, decoded, sizeof found) == 0);
    }
    H5Dclose(dataset);
}

/* A veto by a function and by a rule; buffers that are asked for. */
static void check_veto(hid_t file, const uint32_t *threshold) {
    static int16_t frames[2][N_PIXELS];
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_chunk chunk = chunk_of(threshold);
    uint64_t least = 1;
    for (int by_rule = 0; by_rule < 2; by_rule++) {
        dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
        if (by_rule) {
            options.has_least = 1;
            options.least.maximum = 100;
        } else {
            options.keep = keep_bright;
            options.keep_context = &least;
        }
        dc_recorder *recorder;
        dc_status status = dc_recorder_create(&hdf5, file, by_rule ? "rule" : "call", &chunk, 0, NULL, &options, &recorder);
        CHECK(status == DC_OK);
        frames[0][3] = 500;
        CHECK(dc_recorder_push(recorder, 0, frames[0], "first", NULL, NULL) == DC_OK);
        CHECK(dc_recorder_push(recorder, 1, frames[1], "second", NULL, NULL) == DC_OK);
        CHECK(dc_recorder_finish(recorder) == DC_OK);
        dc_recorder_statistics found = statistics(recorder);
        CHECK(found.n_stored == 1 && found.n_vetoed == 1);
        CHECK(found.bytes_decoded == sizeof frames[0] && found.bytes_received == sizeof frames && found.seconds > 0);
        CHECK(found.codec_ratio == (double)sizeof frames[0] / (double)found.bytes_stored && found.codec_ratio > 1);
        CHECK(found.ratio == 2 * found.codec_ratio && found.gb_per_s > 0);
        void *buffers[3];
        size_t n_buffers = 0;
        CHECK(dc_recorder_released(recorder, buffers, 3, &n_buffers) == DC_OK && n_buffers == 2);
        CHECK(strlen(buffers[0]) + strlen(buffers[1]) == strlen("first") + strlen("second"));
        CHECK(dc_recorder_released(recorder, buffers, 3, &n_buffers) == DC_OK && n_buffers == 0);
        dc_recorder_free(recorder);
    }
}

/* Frames in bricks: chunks of 4 rows of 3 frames. */
static void check_bricks(hid_t file) {
    static int16_t frame[N_PIXELS], found[7 * N_PIXELS];
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_chunk chunk = chunk_of(NULL);
    chunk.filter = 0;
    chunk.n_values = 0;
    chunk.n_frames = 3;
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    dc_recorder *recorder;
    options.rows_per_chunk = chunk.height + 1;
    CHECK(dc_recorder_create(&hdf5, file, "bricks", &chunk, 0, NULL, &options, &recorder) == DC_UNSUPPORTED);
    CHECK(says("rows a chunk"));
    options.rows_per_chunk = 4;
    options.max_bytes = 1000;
    CHECK(dc_recorder_create(&hdf5, file, "bricks", &chunk, 0, NULL, &options, &recorder) == DC_ARGUMENT);
    CHECK(says("fewer workers"));
    options.max_bytes = 0;
    CHECK(dc_recorder_create(&hdf5, file, "bricks", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    for (int number = 6; number >= 0; number--) {
        make_frame(frame, number);
        CHECK(dc_recorder_push_copy(recorder, (uint64_t)number, frame, NULL, NULL) == DC_OK);
    }
    CHECK(dc_recorder_finish(recorder) == DC_OK && statistics(recorder).n_stored == 7);
    dc_recorder_free(recorder);
    hid_t dataset = H5Dopen2(file, "bricks", H5P_DEFAULT), list = H5Dget_create_plist(dataset);
    hsize_t dims[3];
    CHECK(H5Pget_chunk(list, 3, dims) == 3 && dims[0] == 3 && dims[1] == 4 && dims[2] == chunk.width);
    CHECK(H5Dread(dataset, H5T_NATIVE_INT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, found) >= 0);
    for (int number = 0; number < 7; number++) {
        make_frame(frame, number);
        CHECK(memcmp(found + number * N_PIXELS, frame, sizeof frame) == 0);
    }
    H5Pclose(list);
    H5Dclose(dataset);
}

/* Chunks as the filter makes them, and pixels by their places. */
static void check_encoded(hid_t file, const uint32_t *threshold) {
    static int16_t frame[N_PIXELS];
    static unsigned char bytes[1 << 16];
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_chunk chunk = chunk_of(threshold);
    dc_processing with = DC_PROCESSING_INIT;
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    dc_recorder *recorder;
    size_t n_bytes = 0;
    make_frame(frame, 3);
    const void *const frames[] = {frame};
    CHECK(dc_encode_chunk(&chunk, NULL, frames, 1, NULL, bytes, sizeof bytes, &n_bytes, NULL) == DC_OK);
    CHECK(dc_recorder_create(&hdf5, file, "summed", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    CHECK(dc_recorder_push_encoded(recorder, 0, DC_ENCODED_CHUNK, bytes, n_bytes, bytes, NULL, NULL) == DC_ARGUMENT);
    CHECK(says("without the sum"));
    dc_recorder_free(recorder);
    with.no_sum = 1;
    CHECK(dc_recorder_create(&hdf5, file, "encoded", &chunk, 0, &with, &options, &recorder) == DC_OK);
    CHECK(dc_recorder_check_every(recorder, 1) == DC_OK);
    CHECK(dc_recorder_push_encoded(recorder, 0, 7, bytes, n_bytes, bytes, NULL, NULL) == DC_ARGUMENT && says("kind is 7"));
    CHECK(dc_recorder_push_encoded(recorder, 0, DC_ENCODED_CHUNK, NULL, n_bytes, NULL, NULL, NULL) == DC_NULL);
    int pushed = -1;
    CHECK(dc_recorder_push_encoded(recorder, 0, DC_ENCODED_CHUNK, bytes, n_bytes, bytes, NULL, &pushed) == DC_OK);
    CHECK(dc_recorder_push_encoded(recorder, 1, DC_ENCODED_CHUNK, bytes, n_bytes - 3, bytes, NULL, NULL) == DC_OK);
    const uint32_t places[] = {5, N_PIXELS};
    const int16_t values[] = {300, 7};
    CHECK(pushed == DC_TAKEN && dc_recorder_push_pixels(recorder, 2, places, values, 1, NULL, &pushed) == DC_OK);
    CHECK(dc_recorder_push_pixels(recorder, 3, places, values, 2, NULL, NULL) == DC_ARGUMENT && says("not in a frame"));
    CHECK(dc_recorder_finish(recorder) == DC_OK);
    dc_recorder_statistics found = statistics(recorder);
    CHECK(found.n_stored == 2 && found.n_refused == 1 && found.n_received == 3);
    char text[100] = "";
    CHECK(dc_recorder_fault(recorder, text, sizeof text) == DC_OK && strstr(text, "frame 1"));
    dc_recorder_free(recorder);
    hid_t dataset = H5Dopen2(file, "encoded", H5P_DEFAULT);
    hsize_t offset[3] = {0, 0, 0}, n_stored;
    CHECK(H5Dget_chunk_storage_size(dataset, offset, &n_stored) >= 0 && n_stored == n_bytes);
    H5Dclose(dataset);
}

/* A recording with an index of blocks. */
static void record_with_index(hid_t file, const char *path, const char *index) {
    static int16_t frame[N_PIXELS];
    const uint32_t bitshuffle[] = {64, 2};
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_chunk chunk = chunk_of(bitshuffle);
    chunk.filter = DC_BITSHUFFLE, chunk.n_values = 2;
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    dc_recorder *recorder;
    options.index = path;
    CHECK(dc_recorder_create(&hdf5, file, "indexed", &chunk, 0, NULL, &options, &recorder) == DC_UNSUPPORTED);
    CHECK(says("which is no index"));
    options.index = index;
    CHECK(dc_recorder_create(&hdf5, file, "indexed", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    for (int number = 0; number < 2; number++) {
        make_frame(frame, number);
        CHECK(dc_recorder_push_copy(recorder, (uint64_t)number, frame, NULL, NULL) == DC_OK);
    }
    CHECK(dc_recorder_finish(recorder) == DC_OK);
    char text[100] = "unknown";
    CHECK(dc_recorder_fault(recorder, text, sizeof text) == DC_OK && text[0] == 0);
    dc_recorder_free(recorder);
}

/* A row of it decodes its blocks alone. */
static void check_index(const char *path, const char *index) {
    static int16_t frame[N_PIXELS], rows[2][WIDTH];
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), dataset = H5Dopen2(file, "indexed", H5P_DEFAULT);
    dc_reader *reader;
    uint64_t n_chunks = 0, start[] = {0, 5, 0}, count[] = {2, 1, WIDTH};
    CHECK(dc_reader_open(&hdf5, dataset, NULL, &reader) == DC_OK);
    CHECK(dc_reader_load_index(reader, index, &n_chunks) == DC_OK && n_chunks == 2);
    CHECK(dc_reader_read(reader, start, count, NULL, rows, NULL) == DC_OK);
    for (int number = 0; number < 2; number++) {
        make_frame(frame, number);
        CHECK(memcmp(rows[number], frame + 5 * WIDTH, sizeof rows[number]) == 0);
    }
    dc_reader_statistics found = {.size = sizeof found};
    CHECK(dc_reader_statistics_of(reader, &found) == DC_OK && found.whole_chunks == 0 && found.partial_chunks == 2);
    dc_reader_free(reader);
    CHECK(H5Dclose(dataset) >= 0 && H5Fclose(file) >= 0 && remove(index) == 0);
}

/* Frames that are overwritten with what is stored, in one piece and in two. */
static void check_in_place(hid_t file, const uint32_t *threshold) {
    static int16_t frames[2][N_PIXELS], expected[N_PIXELS];
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_chunk chunk = chunk_of(threshold);
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    dc_recorder *recorder;
    options.in_place = 1;
    for (int i = 0; i < 2; i++) make_frame(frames[i], 7);
    for (int i = 0; i < N_PIXELS; i++) expected[i] = frames[0][i] < 20 ? 0 : frames[0][i];
    CHECK(dc_recorder_create(&hdf5, file, "in_place", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    const void *strips[2] = {frames[1], frames[1] + 100};
    const size_t strip_bytes[2] = {200, 2 * (N_PIXELS - 100)};
    CHECK(dc_recorder_push(recorder, 0, frames[0], frames[0], NULL, NULL) == DC_OK);
    CHECK(dc_recorder_push_strips(recorder, 1, strips, strip_bytes, 2, frames[1], NULL, NULL) == DC_OK);
    CHECK(dc_recorder_finish(recorder) == DC_OK && statistics(recorder).n_stored == 2);
    dc_recorder_free(recorder);
    CHECK(memcmp(frames[0], expected, sizeof expected) == 0 && memcmp(frames[1], expected, sizeof expected) == 0);
    /* Several at once, in a chunk of several. */
    const uint64_t numbers[] = {1, 0};
    const void *const lent[] = {frames[0], frames[1]};
    void *buffers[3];
    size_t n = 0;
    chunk.n_frames = 2;
    for (int i = 0; i < 2; i++) make_frame(frames[i], 7);
    CHECK(dc_recorder_create(&hdf5, file, "several_in_place", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    CHECK(dc_recorder_push_frames(recorder, numbers, lent, 2, NULL, NULL, NULL, NULL) == DC_OK);
    CHECK(dc_recorder_finish(recorder) == DC_OK && statistics(recorder).n_stored == 2);
    CHECK(dc_recorder_released(recorder, buffers, 3, &n) == DC_OK && n == 2);
    dc_recorder_free(recorder);
    CHECK(memcmp(frames[0], expected, sizeof expected) == 0 && memcmp(frames[1], expected, sizeof expected) == 0);
    options.format = DC_FORMAT_MONO8;
    CHECK(dc_recorder_create(&hdf5, file, "packed", &chunk, 0, NULL, &options, &recorder) == DC_ARGUMENT && says("give Native"));
}

/* Threshold and dark image that change while frames come. */
static void check_changes(hid_t file, const uint32_t *threshold) {
    static int16_t frame[N_PIXELS], dark[N_PIXELS], images[2 * N_PIXELS];
    static const int64_t thresholds[] = {20, 50, 50, 50}, from[] = {0, 1, 2, 3}, numbers[] = {-1, -1, 0, 1};
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_chunk chunk = chunk_of(threshold);
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    options.first_number = 7;
    dc_recorder *recorder;
    uint64_t number = 0;
    CHECK(dc_recorder_create(&hdf5, file, "changed", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    for (int i = 0; i < N_PIXELS; i++) dark[i] = 3;
    CHECK(dc_recorder_push_copy(recorder, 7, frame, NULL, NULL) == DC_OK);
    CHECK(dc_recorder_set_threshold(recorder, 0, &number) == DC_ARGUMENT && says("from 1 to 32767"));
    CHECK(dc_recorder_set_threshold(recorder, 32768, NULL) == DC_ARGUMENT && dc_recorder_set_threshold(NULL, 5, NULL) == DC_NULL);
    CHECK(dc_recorder_set_threshold(recorder, 50, &number) == DC_OK && number == 8);
    CHECK(dc_recorder_push_copy(recorder, 8, frame, NULL, NULL) == DC_OK);
    CHECK(dc_recorder_set_dark(recorder, dark, &number) == DC_OK && number == 9);
    CHECK(dc_recorder_push_copy(recorder, 9, frame, NULL, NULL) == DC_OK);
    CHECK(dc_recorder_set_dark(recorder, NULL, NULL) == DC_OK && dc_recorder_set_dark(NULL, NULL, NULL) == DC_NULL);
    CHECK(dc_recorder_finish(recorder) == DC_OK);
    CHECK(dc_recorder_set_threshold(recorder, 50, &number) == DC_ARGUMENT && says("finished"));
    dc_recorder_free(recorder);
    static const struct {
        const char *name;
        const int64_t *rows;
    } columns[] = {{"threshold", thresholds}, {"frame", from}, {"dark", numbers}};
    for (int i = 0; i < 3; i++) {
        char name[100];
        int64_t rows[4];
        snprintf(name, sizeof name, "changed_darkchunk/changes/%s", columns[i].name);
        hid_t column = H5Dopen2(file, name, H5P_DEFAULT);
        CHECK(H5Dget_storage_size(column) > 0 && H5Dread(column, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) >= 0);
        CHECK(H5Dclose(column) >= 0 && memcmp(rows, columns[i].rows, sizeof rows) == 0);
    }
    hid_t dataset = H5Dopen2(file, "changed_darkchunk/changes/dark_images", H5P_DEFAULT);
    CHECK(H5Dread(dataset, H5T_NATIVE_INT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, images) >= 0 && H5Dclose(dataset) >= 0);
    CHECK(images[0] == 3 && images[N_PIXELS - 1] == 3 && images[N_PIXELS] == 0);
    const uint32_t bare[] = {20, 1};
    chunk.values = bare;
    chunk.n_values = 2;
    CHECK(dc_recorder_create(&hdf5, file, "bare", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    CHECK(dc_recorder_set_threshold(recorder, 50, &number) == DC_UNSUPPORTED && says("does not say its threshold"));
    dc_recorder_free(recorder);
}

static int is_full;

static herr_t write_chunk(hid_t dataset, hid_t list, uint32_t mask, const hsize_t *offset, size_t n_bytes, const void *bytes) {
    return is_full ? -1 : H5Dwrite_chunk(dataset, list, mask, offset, n_bytes, bytes);
}

/* What HDF5 does not take is held, and lost and counted where the recording is abandoned. */
static void check_abandon(hid_t file, const uint32_t *threshold) {
    static int16_t frame[N_PIXELS];
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    hdf5.fn_H5Dwrite_chunk = (dc_function)write_chunk;
    dc_chunk chunk = chunk_of(threshold);
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    options.n_workers = 0;
    dc_recorder *recorder;
    CHECK(dc_recorder_create(&hdf5, file, "abandoned", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    CHECK(dc_recorder_push_copy(recorder, 0, frame, NULL, NULL) == DC_OK);
    is_full = 1;
    CHECK(dc_recorder_push_copy(recorder, 1, frame, NULL, NULL) == DC_NOT_STORED);
    CHECK(dc_recorder_finish(recorder) == DC_NOT_STORED && says("1 more were taken and are held"));
    /* The columns cannot be stored either. */
    CHECK(dc_recorder_abandon(recorder) == DC_NOT_STORED && statistics(recorder).n_lost == 1);
    is_full = 0;
    CHECK(dc_recorder_abandon(recorder) == DC_OK && dc_recorder_abandon(recorder) == DC_OK);
    dc_recorder_statistics found = statistics(recorder);
    CHECK(found.n_stored == 1 && found.n_lost == 1 && found.n_held == 0 && found.n_received == 2);
    dc_recorder_free(recorder);
}

/* Records of which a frame has any number. */
static void check_events(hid_t file) {
    static const dc_column columns[] = {{"x", DC_UINT16, 0, NULL}, {"energy", DC_FLOAT32, 0, "keV"}};
    static const uint16_t x[] = {4, 5, 6};
    static const float energy[] = {0.5f, 1.5f, 2.5f};
    const void *const values[] = {x, energy}, *const none[] = {NULL, NULL};
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_events *events = NULL;
    CHECK(dc_events_create(&hdf5, file, "hits", columns, 0, DC_NO_FILTER, NULL, 0, &events) == DC_UNSUPPORTED);
    CHECK(dc_events_create(&hdf5, file, "hits", NULL, 2, DC_NO_FILTER, NULL, 0, &events) == DC_NULL && events == NULL);
    CHECK(dc_events_create(&hdf5, file, "hits", columns, 2, DC_NO_FILTER, NULL, 0, &events) == DC_OK);
    CHECK(dc_events_push(events, 2, values, 3) == DC_OK && dc_events_push(events, 0, values, 1) == DC_OK);
    CHECK(dc_events_push(events, 1, none, 0) == DC_OK);
    CHECK(dc_events_push(events, 3, none, 1) == DC_NULL && says("values[0]"));
    CHECK(dc_events_push(events, 2, values, 3) == DC_UNSUPPORTED && says("already"));
    CHECK(dc_events_push(events, 3, values, (size_t)-1) == DC_ARGUMENT);
    CHECK(dc_events_flush(events, 0) == DC_OK);
    dc_events_free(events);
    dc_events_free(NULL);
    uint64_t first[3], count[3];
    uint16_t found[4];
    hid_t dataset = H5Dopen2(file, "hits/event_index", H5P_DEFAULT);
    CHECK(H5Dread(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, first) >= 0 && H5Dclose(dataset) >= 0);
    dataset = H5Dopen2(file, "hits/event_count", H5P_DEFAULT);
    CHECK(H5Dread(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, count) >= 0 && H5Dclose(dataset) >= 0);
    dataset = H5Dopen2(file, "hits/x", H5P_DEFAULT);
    CHECK(H5Dread(dataset, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, found) >= 0 && H5Dclose(dataset) >= 0);
    CHECK(first[0] == 3 && count[0] == 1 && count[1] == 0 && first[2] == 0 && count[2] == 3);
    CHECK(found[0] == 4 && found[2] == 6 && found[3] == 4);
}

/* Several frames in a call: what became of each, whose they are, and where the call stops. */
static void check_several(hid_t file, const uint32_t *threshold) {
    static int16_t frames[6][N_PIXELS];
    static double found[7];
    const double rows[] = {0.5, 1.5, 2.5, 3.5, 4.5, 5.5};
    const uint64_t numbers[] = {4, 2, 4, 0, 3, 6};
    const void *lent[6];
    void *buffers[] = {"a", "b", "c", "d", "e", "f"}, *released[7];
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    hdf5.fn_H5Dwrite_chunk = (dc_function)write_chunk;
    dc_chunk chunk = chunk_of(threshold);
    dc_column column = {"time", DC_FLOAT64, 0, NULL};
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    options.n_workers = 0;
    options.columns = &column;
    options.n_columns = 1;
    options.max_bytes = 2 * sizeof frames[0];
    dc_recorder *recorder;
    int pushed[6];
    size_t n = 7;
    for (int i = 0; i < 6; i++) {
        make_frame(frames[i], i);
        lent[i] = frames[i];
    }
    CHECK(dc_recorder_create(&hdf5, file, "several", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    CHECK(dc_recorder_push_frames(NULL, numbers, lent, 5, NULL, NULL, NULL, &n) == DC_NULL && says("recorder"));
    CHECK(dc_recorder_push_frames(recorder, NULL, lent, 5, NULL, NULL, NULL, &n) == DC_NULL && says("numbers"));
    CHECK(dc_recorder_push_frames(recorder, numbers, NULL, 5, NULL, NULL, NULL, &n) == DC_NULL && says("frames is"));
    lent[3] = NULL;
    CHECK(dc_recorder_push_frames(recorder, numbers, lent, 5, buffers, rows, pushed, &n) == DC_NULL && says("frames[3]"));
    CHECK(n == 7 && statistics(recorder).n_received == 0);
    lent[3] = frames[3];
    CHECK(dc_recorder_push_frames(recorder, numbers, lent, 0, NULL, NULL, NULL, &n) == DC_OK && n == 0);
    CHECK(dc_recorder_push_frames(recorder, numbers, lent, 4, buffers, rows, pushed, &n) == DC_OK && n == 4);
    CHECK(pushed[0] == DC_TAKEN && pushed[1] == DC_TAKEN && pushed[2] == DC_DUPLICATE && pushed[3] == DC_TAKEN);
    CHECK(dc_recorder_released(recorder, released, 7, &n) == DC_OK && n == 4 && released[0] == buffers[0]);
    /* A disk that is full: one is taken and held, and told of when the others are tried; the memory ends the call. */
    is_full = 1;
    dc_status status = dc_recorder_push_frames(recorder, numbers + 4, lent + 4, 1, NULL, rows + 4, pushed, &n);
    CHECK(status == DC_NOT_STORED && n == 1 && pushed[0] == DC_TAKEN);
    const uint64_t many[] = {5, 7, 8, 9, 10, 11};
    for (int i = 0, is_taken = 1; is_taken; i++) {
        CHECK(i < 1000);
        const uint64_t others[] = {100 + 2 * (uint64_t)i, 101 + 2 * (uint64_t)i};
        status = dc_recorder_push_frames(recorder, others, lent, 2, NULL, NULL, pushed, &n);
        is_taken = status == DC_OK || status == DC_NOT_STORED;
        CHECK(is_taken ? n == 2 : n < 2);
    }
    CHECK(status == DC_NOT_TAKEN && says("push again"));
    uint64_t n_received = statistics(recorder).n_received;
    CHECK(dc_recorder_push_frames(recorder, many, lent, 6, NULL, NULL, NULL, &n) == DC_NOT_TAKEN && n == 0);
    CHECK(statistics(recorder).n_received == n_received);
    is_full = 0;
    CHECK(dc_recorder_flush(recorder, 0) == DC_OK);
    CHECK(dc_recorder_push_frames(recorder, many, lent, 6, NULL, NULL, pushed, &n) == DC_OK && n == 6 && pushed[5] == DC_TAKEN);
    CHECK(dc_recorder_finish(recorder) == DC_OK && statistics(recorder).n_lost == 0 && statistics(recorder).n_held == 0);
    CHECK(dc_recorder_push_frames(recorder, many, lent, 6, NULL, NULL, NULL, NULL) == DC_ARGUMENT && says("finished"));
    dc_recorder_free(recorder);
    hid_t dataset = H5Dopen2(file, "several_darkchunk/time", H5P_DEFAULT), memory, space = H5Dget_space(dataset);
    const hsize_t start = 0, count = 5;
    memory = H5Screate_simple(1, &count, NULL);
    CHECK(H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL) >= 0);
    CHECK(H5Dread(dataset, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, found) >= 0);
    CHECK(found[0] == 3.5 && found[2] == 1.5 && found[3] == 4.5 && found[4] == 0.5);
    CHECK(H5Sclose(memory) >= 0 && H5Sclose(space) >= 0 && H5Dclose(dataset) >= 0);
}

static herr_t is_atomic(hid_t file, unsigned *flag) {
    (void)file;
    *flag = 0;
    return 0;
}

/* Files that cannot be recorded to, and tables of functions that are too old. */
static void check_bad_files(const char *path) {
    char name[1000];
    snprintf(name, sizeof name, "%s.bad", path);
    const uint32_t threshold = 20;
    const dc_hdf5 good = dc_hdf5_from_headers();
    dc_hdf5 hdf5 = good;
    dc_chunk chunk = chunk_of(&threshold);
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    dc_recorder *recorder = NULL;
    hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    /* Only an HDF5 for MPI has the function, and it fails but for files that are open with MPI-IO. */
    hdf5.fn_H5Fget_mpi_atomicity = (dc_function)is_atomic;
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_UNSUPPORTED && says("MPI-IO"));
    /* A program that was compiled with an earlier header, with one before any, and one whose HDF5 lacks a function. */
    hdf5 = good;
    hdf5.size = offsetof(dc_hdf5, fn_H5Pset_fill_value);
    dc_column column = {"time", DC_FLOAT64, 0, NULL};
    options.columns = &column;
    options.n_columns = 1;
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_UNSUPPORTED);
    CHECK(says("lacks H5Pset_fill_value") && says("1.10.3"));
    hdf5.size = offsetof(dc_hdf5, fn_H5Dwrite_chunk);
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_UNSUPPORTED && says("lacks H5Dwrite_chunk"));
    hdf5 = good;
    hdf5.fn_H5Dset_extent = NULL;
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_UNSUPPORTED && says("lacks H5Dset_extent"));
    CHECK(H5Lexists(file, "bad", H5P_DEFAULT) == 0 && H5Fclose(file) >= 0);
    file = H5Fopen(name, H5F_ACC_RDONLY, H5P_DEFAULT);
    CHECK(dc_recorder_create(&good, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_UNSUPPORTED && says("reading only"));
    CHECK(H5Fclose(file) >= 0 && remove(name) == 0);
    CHECK(dc_recorder_create(&good, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_HDF5 && recorder == NULL);
}

/* Each bad use has a number and a text. */
static void check_bad_use(hid_t file, const uint32_t *threshold) {
    static int16_t frame[N_PIXELS];
    dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_chunk chunk = chunk_of(threshold);
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    dc_recorder *recorder = NULL;
    CHECK(dc_recorder_create(NULL, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_NULL && says("hdf5"));
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, NULL, &recorder) == DC_NULL && says("options"));
    options.policy = 7;
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_ARGUMENT && says("policy is 7"));
    options.policy = DC_POLICY_DROP;
    options.format = DC_FORMAT_MONO16;
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) != DC_OK && says("record uint16"));
    options.format = DC_FORMAT_NATIVE;
    options.max_bytes = 100;
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_ARGUMENT && says("give more"));
    options.max_bytes = 0;
    options.reorder = 1000000;
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_ARGUMENT && says("522240"));
    options.reorder = 64;
    options.swmr = 1;
    CHECK(dc_recorder_create(&hdf5, file, "old", &chunk, 0, NULL, &options, &recorder) == DC_HDF5 && says("libver"));
    options.swmr = 0;
    options.size--;
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_ARGUMENT && says("sizeof"));
    options.size++;
    dc_recorder_statistics short_one = {.size = sizeof short_one - sizeof(double)};
    dc_column column = {"frame_status", DC_FLOAT64, 0, NULL};
    options.columns = &column;
    options.n_columns = 1;
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_UNSUPPORTED && recorder == NULL);
    column.name = "time";
    column.number = 70;
    CHECK(dc_recorder_create(&hdf5, file, "bad", &chunk, 0, NULL, &options, &recorder) == DC_ARGUMENT && says("number is 70"));
    options.n_columns = 0;
    CHECK(dc_recorder_create(&hdf5, file, PATH, &chunk, 0, NULL, &options, &recorder) == DC_UNSUPPORTED && says("already"));
    CHECK(dc_recorder_create(&hdf5, file, "good", &chunk, 0, NULL, &options, &recorder) == DC_OK);
    CHECK(dc_recorder_push(NULL, 0, frame, frame, NULL, NULL) == DC_NULL && says("recorder"));
    CHECK(dc_recorder_push(recorder, 0, NULL, frame, NULL, NULL) == DC_NULL && says("frame"));
    const void *strips[1] = {frame};
    size_t strip_bytes[1] = {10};
    CHECK(dc_recorder_push_strips(recorder, 0, strips, strip_bytes, 1, frame, NULL, NULL) == DC_BUFFER_SIZE && says("10 bytes"));
    CHECK(dc_recorder_push_strips(recorder, 0, strips, strip_bytes, 0, frame, NULL, NULL) == DC_ARGUMENT && says("strip"));
    CHECK(dc_recorder_statistics_of(recorder, &short_one) == DC_ARGUMENT && says("sizeof(dc_recorder_statistics) is"));
    short_one.size = sizeof short_one;
    CHECK(dc_recorder_statistics_of(recorder, &short_one) == DC_OK && short_one.ratio == 0 && short_one.gb_per_s == 0);
    char text[8] = "unknown";
    CHECK(dc_recorder_fault(recorder, text, sizeof text) == DC_OK && text[0] == 0);
    CHECK(dc_recorder_finish(recorder) == DC_OK && statistics(recorder).n_received == 0);
    dc_recorder_free(recorder);
    dc_recorder_free(NULL);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    const uint32_t threshold = 20;
    /* A run that was ended in the middle has left a journal, and a recording that did not finish is not replaced. */
    char journal[1000];
    snprintf(journal, sizeof journal, "%s.journal", argv[1]);
    remove(journal);
    for (int writer_thread = 0; writer_thread < 2; writer_thread++) {
        hid_t file = H5Fcreate(argv[1], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        record(file, &threshold, writer_thread);
        check_file(file);
        check_veto(file, &threshold);
        check_encoded(file, &threshold);
        check_in_place(file, &threshold);
        check_changes(file, &threshold);
        check_bricks(file);
        check_events(file);
        check_bad_use(file, &threshold);
        check_several(file, &threshold);
        check_abandon(file, &threshold);
        char index[1000];
        snprintf(index, sizeof index, "%s.index", argv[1]);
        record_with_index(file, argv[1], index);
        CHECK(H5Fclose(file) >= 0);
        check_index(argv[1], index);
        check_bad_files(argv[1]);
    }
    return 0;
}
