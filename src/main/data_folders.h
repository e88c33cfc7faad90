// The data folder and the one for unpacked code in it, made with the rights that the program starts with, for whom it
// becomes.
#pragma once

#include <filesystem>
#include <optional>

#include "core/error.h"
#include "sandbox/system/privileges.h"

namespace infra {

// `owner`: who the program becomes (--user). A folder that is empty, or that an earlier program of this starting user's
// left, is given to him with all that is in it; another is refused (data_folder_unwritable, with a sentence for the
// operator), because INFRA_DATA_DIR may name anything. What he owns already is left alone: he may have put links there.
[[nodiscard]] Result<void> make_data_folders(const std::filesystem::path& data,
                                             const std::optional<sandbox::Identity>& owner);

}  // namespace infra
