// What the system lets this process have. GNU OpenMP and OpenBLAS end the process where it lets
// them have less than they want: it is asked before they are.
#pragma once

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

// How many of `wanted` threads can be alive at once beside those that are, by starting them. Their
// stacks are OpenMP's (OMP_STACKSIZE), or the system's if those are larger.
int startable_threads(int wanted);

// How many threads the next parallel region of the calling thread may have: `wanted`, or fewer
// where the system lets it start no more. To be asked before OpenMP is.
int team_size(int wanted);

}  // namespace heddle
