// The recorder for C++17: an object that ends itself, and exceptions. All is inline; what is promised is in darkchunk.h.
#ifndef DARKCHUNK_HPP
#define DARKCHUNK_HPP

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <darkchunk.h>

namespace darkchunk {

// A dc_status that is not DC_OK, with its text.
class error : public std::runtime_error {
public:
    explicit error(dc_status status) : std::runtime_error(dc_last_error()), status_(status) {}
    dc_status status() const { return status_; }
    // Whether the frames of the call are held: go on with the next.
    bool is_held() const { return status_ == DC_NOT_STORED; }
    // Whether the frame is to be pushed again.
    bool is_to_be_pushed_again() const { return status_ == DC_NOT_TAKEN; }

private:
    dc_status status_;
};

inline void check(dc_status status) {
    if (status != DC_OK) throw error(status);
}

class recorder {
public:
    recorder(const dc_hdf5 &hdf5, std::int64_t at, const std::string &path, const dc_chunk &chunk, bool nexus,
             const dc_processing *with, const dc_recorder_options &options) {
        dc_recorder *made = nullptr;
        check(dc_recorder_create(&hdf5, at, path.c_str(), &chunk, nexus, with, &options, &made));
        handle_.reset(made);
    }

    // Bytes of a row of metadata.
    std::size_t row_bytes() const {
        std::size_t n_bytes = 0;
        check(dc_recorder_row_bytes(handle_.get(), &n_bytes));
        return n_bytes;
    }

    // Takes a frame in memory that must not change until `buffer` is released. Says what became of it, such as DC_TAKEN.
    int push(std::uint64_t number, const void *frame, void *buffer, const void *row = nullptr) {
        int pushed = DC_TAKEN;
        check(dc_recorder_push(handle_.get(), number, frame, buffer, row, &pushed));
        return pushed;
    }

    // The same of a frame in several pieces: pointers and bytes.
    int push(std::uint64_t number, const std::vector<const void *> &strips, const std::vector<std::size_t> &strip_bytes,
             void *buffer, const void *row = nullptr) {
        if (strips.size() != strip_bytes.size()) throw std::invalid_argument("a number of bytes for each strip is needed");
        int pushed = DC_TAKEN;
        check(dc_recorder_push_strips(handle_.get(), number, strips.data(), strip_bytes.data(), strips.size(), buffer, row,
                                      &pushed));
        return pushed;
    }

    // The same of several frames, each known by its memory. n_pushed, also where this throws: how many were pushed.
    void push_frames(const std::vector<std::uint64_t> &numbers, const std::vector<const void *> &frames, std::size_t &n_pushed,
                     const void *rows = nullptr, int *pushed = nullptr) {
        n_pushed = 0;
        if (numbers.size() != frames.size()) throw std::invalid_argument("a number for each frame is needed");
        check(dc_recorder_push_frames(handle_.get(), numbers.data(), frames.data(), frames.size(), nullptr, rows, pushed,
                                      &n_pushed));
    }

    // Takes a copy of a frame.
    int push_copy(std::uint64_t number, const void *frame, const void *row = nullptr) {
        int pushed = DC_TAKEN;
        check(dc_recorder_push_copy(handle_.get(), number, frame, row, &pushed));
        return pushed;
    }

    // Another threshold, or another dark image (or none), for the frames from the number that is returned on.
    std::uint64_t set_threshold(std::uint32_t threshold) {
        std::uint64_t number = 0;
        check(dc_recorder_set_threshold(handle_.get(), threshold, &number));
        return number;
    }
    std::uint64_t set_dark(const void *dark) {
        std::uint64_t number = 0;
        check(dc_recorder_set_dark(handle_.get(), dark, &number));
        return number;
    }

    // Buffers that were released since, where the options have no function for that.
    std::vector<void *> released() {
        std::vector<void *> all;
        void *some[64];
        std::size_t n = 0;
        do {
            check(dc_recorder_released(handle_.get(), some, 64, &n));
            all.insert(all.end(), some, some + n);
        } while (n == 64);
        return all;
    }

    void poll() { check(dc_recorder_poll(handle_.get())); }
    void flush(bool sync = false) { check(dc_recorder_flush(handle_.get(), sync)); }
    void finish() { check(dc_recorder_finish(handle_.get())); }
    // Ends without the frames that a full disk does not take.
    void abandon() { check(dc_recorder_abandon(handle_.get())); }

    dc_recorder_statistics statistics() const {
        dc_recorder_statistics found{};
        found.size = sizeof found;
        check(dc_recorder_statistics_of(handle_.get(), &found));
        return found;
    }

    // Why the last frame that was refused was, or why there is no index of blocks.
    std::string fault() const {
        char text[1000];
        check(dc_recorder_fault(handle_.get(), text, sizeof text));
        return text;
    }

private:
    struct free_recorder {
        void operator()(dc_recorder *recorder) const { dc_recorder_free(recorder); }
    };
    // What could not be finished is reported by finish() only.
    std::unique_ptr<dc_recorder, free_recorder> handle_;
};

} // namespace darkchunk

#endif
