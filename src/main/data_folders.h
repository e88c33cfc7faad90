// The data folder and the one for unpacked code in it, made with the rights that the program starts with, for whom it
// becomes.
#pragma once

#include <filesystem>
#include <optional>

#include "adapters/system/posix_file.h"
#include "core/error.h"
#include "sandbox/system/privileges.h"

namespace infra {

// A descriptor of the data folder. `owner`: who the program becomes, if it becomes another. A folder that is empty, or
// that an earlier program of this starting user's left, is given to him, with what Infra makes in it and nothing else;
// no link is followed. Refused are (data_folder_unwritable, with a sentence for the operator, because INFRA_DATA_DIR
// may name anything): a folder of other things, one that others own or write in, one behind a link, and what others own
// in it. In a folder that is his already nothing is given: he may have put there whatever he wants to own.
[[nodiscard]] Result<Descriptor> make_data_folders(const std::filesystem::path& data,
                                                   const std::optional<sandbox::Identity>& owner);

}  // namespace infra
