// The recorder from C++: objects that end themselves, and exceptions.
#include <hdf5.h>

#include <darkchunk.hpp>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#define CHECK(good)                                                                  \
    do {                                                                             \
        if (!(good)) {                                                               \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #good);          \
            std::exit(1);                                                            \
        }                                                                            \
    } while (0)

int main(int argc, char **argv) {
    CHECK(argc == 2);
    const std::uint32_t threshold = 20;
    const dc_hdf5 hdf5 = dc_hdf5_from_headers();
    // A run that was ended in the middle has left a journal, and a recording that did not finish is not replaced.
    std::remove((std::string(argv[1]) + ".journal").c_str());
    const hid_t file = H5Fcreate(argv[1], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    dc_chunk chunk = DC_CHUNK_INIT;
    chunk.element = DC_UINT16;
    chunk.filter = DC_DRLE;
    chunk.values = &threshold;
    chunk.n_values = 1;
    chunk.height = 10;
    chunk.width = 20;
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    std::vector<std::vector<std::uint16_t>> frames(5, std::vector<std::uint16_t>(200, 100));
    {
        darkchunk::recorder recorder(hdf5, file, "frames", chunk, false, nullptr, options);
        CHECK(recorder.row_bytes() == 0 && recorder.push(0, frames[0].data(), &frames[0]) == DC_TAKEN);
        CHECK(recorder.push(2, {frames[1].data(), frames[1].data() + 50}, {100, 300}, &frames[1]) == DC_TAKEN);
        CHECK(recorder.push_copy(3, frames[2].data()) == DC_TAKEN && recorder.push_copy(3, frames[2].data()) == DC_DUPLICATE);
        CHECK(recorder.set_threshold(40) == 4 && recorder.set_dark(nullptr) == 4);
        std::size_t n_pushed = 9;
        int became[2];
        recorder.push_frames({4, 2}, {frames[3].data(), frames[4].data()}, n_pushed, nullptr, became);
        CHECK(n_pushed == 2 && became[0] == DC_TAKEN && became[1] == DC_DUPLICATE);
        recorder.poll();
        recorder.flush();
        std::set<void *> released;
        for (void *buffer : recorder.released()) released.insert(buffer);
        CHECK(released == (std::set<void *>{&frames[0], &frames[1], frames[3].data(), frames[4].data()}));
        CHECK(recorder.statistics().n_flushed == 4 && recorder.fault().empty());
        try {
            recorder.push(9, {frames[3].data()}, {7}, nullptr);
            CHECK(!"it is refused");
        } catch (const darkchunk::error &refused) {
            CHECK(refused.status() == DC_BUFFER_SIZE && !refused.is_held() && !refused.is_to_be_pushed_again());
        }
        darkchunk::recorder moved = std::move(recorder);
        moved.finish();
        moved.abandon();
        CHECK(moved.statistics().n_stored == 4 && moved.statistics().n_missing == 1);
    }
    try {
        darkchunk::recorder again(hdf5, file, "frames", chunk, false, nullptr, options);
        CHECK(!"the name is taken");
    } catch (const darkchunk::error &refused) {
        CHECK(refused.status() == DC_UNSUPPORTED && std::string(refused.what()).find("already") != std::string::npos);
    }
    CHECK(H5Fclose(file) >= 0);
    return 0;
}
