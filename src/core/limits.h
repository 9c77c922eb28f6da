// What the system lets this process have. OpenBLAS ends the process where it lets it have less than
// it wants: the system is asked before OpenBLAS is.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <string>

namespace heddle {

// Cores that the calling thread's affinity mask and the quotas of the process's control groups
// allow, at least 1. Reads files; for the start of the process.
int available_cores();

// Whole cores of CPU time that control groups allow, or 0 where none of them says: the least quota
// along the path of the process (`membership`: the text of /proc/self/cgroup) below `mounted`,
// where version 2's hierarchy or version 1's cpu controller is.
int cgroup_cores(const std::string& membership, const std::string& mounted);

// Whether so much memory can be mapped at present, by mapping it and letting it go.
bool can_map(size_t bytes);

// Gives the threads of these attributes the stack that OMP_STACKSIZE says, if it says one.
void set_thread_stack(pthread_attr_t& attributes);

// How many of `wanted` threads can be alive at once beside those that are, by starting them.
int startable_threads(int wanted);

}  // namespace heddle
