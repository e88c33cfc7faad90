// The codes that no client meets: they stand in the log, in the last words of a program that can't start, or between
// two of its parts. docs/errors.md lists them for operators.
#pragma once

#include "core/error.h"

namespace infra::errors {

// The program's start.
inline constexpr ErrorEntry data_folder_in_use{
    "data_folder_in_use", ErrorKind::unavailable,
    "Another Infra uses the data folder: stop it, or choose another with INFRA_DATA_DIR."};
inline constexpr ErrorEntry data_folder_unwritable{
    "data_folder_unwritable", ErrorKind::unavailable,
    "The data folder can't be used: give its owner the rights that the message names."};
inline constexpr ErrorEntry already_running{
    "already_running", ErrorKind::unavailable,
    "Another Infra runs sandboxes in this folder: stop it, or choose another data folder."};
inline constexpr ErrorEntry api_key_unwritable{
    "api_key_unwritable", ErrorKind::unavailable,
    "The key that `infra dev` made can't be written: give the data folder's owner the right to."};
inline constexpr ErrorEntry secrets_key_unusable{
    "secrets_key_unusable", ErrorKind::unavailable,
    "The data folder's secrets-key can't be read or made: give the folder's owner the right to, or restore the file."};
inline constexpr ErrorEntry runtimes_missing{
    "runtimes_missing", ErrorKind::not_found,
    "The runtimes folder is not beside the program: keep it where it was built or installed."};
inline constexpr ErrorEntry unknown_user{"unknown_user", ErrorKind::invalid, "--user names no user of this machine."};
inline constexpr ErrorEntry cannot_become_user{"cannot_become_user", ErrorKind::invalid,
                                               "--user names a user that this program can't become: start it as root, "
                                               "with the capabilities that the message names."};
inline constexpr ErrorEntry listen_failed{"listen_failed", ErrorKind::unavailable,
                                          "The port can't be listened on: choose another with PORT."};
inline constexpr ErrorEntry no_isolation{
    "no_isolation", ErrorKind::unavailable,
    "This machine can't isolate functions: the message says what the kernel or its settings lack."};
inline constexpr ErrorEntry invalid_spawner_options{"invalid_spawner_options", ErrorKind::invalid,
                                                    "The spawner was started with an argument that is not its own."};
inline constexpr ErrorEntry invalid_address{"invalid_address", ErrorKind::invalid,
                                            "An address or network in a setting is no IPv4 one."};
inline constexpr ErrorEntry invalid_tls{"invalid_tls", ErrorKind::invalid,
                                        "TLS_CERT_FILE or TLS_KEY_FILE can't be read, or they don't belong together."};
inline constexpr ErrorEntry unknown_host{
    "unknown_host", ErrorKind::unavailable,
    "The address of an engine, which functions must not reach, can't be looked up."};

// While it runs.
inline constexpr ErrorEntry disk_low{"disk_low", ErrorKind::unavailable,
                                     "The data folder's disk is nearly full: free some space."};
inline constexpr ErrorEntry spawner_gone{"spawner_gone", ErrorKind::unavailable,
                                         "The spawner has ended: restart Infra."};
inline constexpr ErrorEntry invalid_version{"invalid_version", ErrorKind::invalid,
                                            "A version of code was asked for by something that is no SHA-256."};
inline constexpr ErrorEntry heartbeat_refused{
    "heartbeat_refused", ErrorKind::unavailable,
    "The controller at CONTROLLER_URL does not take heartbeats: compare INFRA_API_KEY."};
inline constexpr ErrorEntry result_timeout{"result_timeout", ErrorKind::timeout,
                                           "The function had not finished when the wait for it ended."};
inline constexpr ErrorEntry invalid_result{"invalid_result", ErrorKind::invalid,
                                           "A result from Redis or the bucket is none."};
inline constexpr ErrorEntry object_not_found{"object_not_found", ErrorKind::not_found,
                                             "The store has no object of this key."};
inline constexpr ErrorEntry invalid_object_key{"invalid_object_key", ErrorKind::invalid,
                                               "No store takes an object of this key."};
inline constexpr ErrorEntry object_too_large{"object_too_large", ErrorKind::too_large,
                                             "A file that was to be stored is larger than it may be."};
inline constexpr ErrorEntry file_unreadable{"file_unreadable", ErrorKind::internal,
                                            "A file that was to be stored can't be read."};
inline constexpr ErrorEntry file_changed{"file_changed", ErrorKind::conflict,
                                         "A file was written to while it was being stored, and is not kept."};
inline constexpr ErrorEntry no_code_key{"no_code_key", ErrorKind::internal, "Code was to be stored under no key."};
inline constexpr ErrorEntry code_in_use{"code_in_use", ErrorKind::conflict,
                                        "Code that was to be removed was uploaded again meanwhile, and stays."};
inline constexpr ErrorEntry enough_read{"enough_read", ErrorKind::conflict,
                                        "A file of a ZIP was read as far as it was wanted."};
inline constexpr ErrorEntry receipt_dead{"receipt_dead", ErrorKind::not_found,
                                         "A job's hand-over has ended; it may be with another worker."};
inline constexpr ErrorEntry http_invalid_request{
    "http_invalid_request", ErrorKind::invalid,
    "A request to another service has a line break in its method, URL or headers."};
inline constexpr ErrorEntry http_unreachable{"http_unreachable", ErrorKind::unavailable,
                                             "Another service can't be connected to."};
inline constexpr ErrorEntry http_untrusted{
    "http_untrusted", ErrorKind::unavailable,
    "Another service's certificate is of no authority that is trusted, or names another host."};
inline constexpr ErrorEntry http_unavailable{"http_unavailable", ErrorKind::unavailable,
                                             "Another service broke off before its answer was there."};
inline constexpr ErrorEntry http_timeout{"http_timeout", ErrorKind::timeout, "Another service did not answer in time."};
inline constexpr ErrorEntry http_body_short{"http_body_short", ErrorKind::conflict,
                                            "What was to be sent to another service ended before its size."};
inline constexpr ErrorEntry http_too_large{"http_too_large", ErrorKind::too_large,
                                           "Another service's answer is larger than what is read of it."};
inline constexpr ErrorEntry aws_not_found{"aws_not_found", ErrorKind::not_found, "An AWS service has no such thing."};
inline constexpr ErrorEntry item_changed{"item_changed", ErrorKind::conflict,
                                         "A configuration item is not as a write's condition says."};
inline constexpr ErrorEntry aws_conflict{"aws_conflict", ErrorKind::conflict,
                                         "An AWS service found another state than the request asks for."};

}  // namespace infra::errors
