#pragma once

#include <cstdlib>

#include "jobcore/job_index.hpp"

namespace jobcore {

// In a debug build, every change ends in a look at all invariants (of an index that is not too large for that).
struct Audit {
#ifdef JOBCORE_DEBUG
    const JobIndex& index;
    explicit Audit(const JobIndex& audited) noexcept : index(audited) {}
    ~Audit() {
        if (index.size() <= 500 && !index.consistent()) {
            std::abort();
        }
    }
#else
    explicit Audit(const JobIndex&) noexcept {}
#endif
};

}  // namespace jobcore
