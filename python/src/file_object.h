// Python's files as the engine reads and writes them: paths, and objects with read or write.
#pragma once

#include "bind.h"
#include "heddle/io.h"

namespace heddle::python {

// True for str and what has __fspath__.
bool is_path(nb::handle file);
std::string path_of(nb::handle file);

// Raises OSError, or the subclass that its number stands for.
[[noreturn]] void raise_os_error(const FileError& error);

// Functions over a file object in binary mode. They may be called without the GIL, which they take,
// while the object lives. They throw what the object's methods raise.
ReadFunction reader_of(nb::handle file);
WriteFunction writer_of(nb::handle file);

// Goes back to the start of a file object that has been read to its end, if it can.
void rewind_at_end(nb::handle file);

}  // namespace heddle::python
