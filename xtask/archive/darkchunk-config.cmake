# The target darkchunk::darkchunk, and darkchunk_PLUGIN_PATH, for HDF5_PLUGIN_PATH.
get_filename_component(_darkchunk "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(darkchunk_PLUGIN_PATH "${_darkchunk}/plugins")
if(NOT TARGET darkchunk::darkchunk)
  add_library(darkchunk::darkchunk SHARED IMPORTED)
  set_target_properties(darkchunk::darkchunk PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_darkchunk}/include"
@PROPERTIES@)
endif()
unset(_darkchunk)
