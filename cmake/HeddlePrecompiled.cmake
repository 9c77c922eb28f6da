# Precompiled headers: what is not heddle's and nearly every file reads. Parsing it anew for each file is a quarter of
# the build. Headers of heddle's own are not among them: each would make every file depend on it, and a change of one
# that few files read would build everything again.
#
# Every file includes what it uses all the same: the preset "asan" builds without precompiled headers, and so shows what
# is missing. CMAKE_DISABLE_PRECOMPILE_HEADERS=ON does so elsewhere.

set(HEDDLE_PRECOMPILED
  <algorithm> <array> <atomic> <cmath> <complex> <cstdint> <cstring> <functional> <limits> <map> <memory> <mutex>
  <numeric> <optional> <random> <set> <stdexcept> <string> <string_view> <thread> <unordered_map> <utility> <variant>
  <vector> <fmt/format.h>)
