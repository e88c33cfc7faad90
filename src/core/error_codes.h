// The codes by which programs tell errors apart, those that a client can meet: in an error's answer, or in the result
// of a run. docs/errors.md is written from these rows (tools/check_errors.py), so a name, its text and both sentences
// stand here alone. What only logs and a start's last words have is in core/operator_error_codes.h.
#pragma once

#include "core/error.h"

namespace infra::errors {

// The request.
inline constexpr ErrorEntry unauthorized{"unauthorized", ErrorKind::unauthorized, kAnswer,
                                         "The request has no API key, or a wrong one.",
                                         "Send the key in the x-api-key header, or as Authorization: Bearer."};
inline constexpr ErrorEntry key_not_allowed{
    "key_not_allowed", ErrorKind::forbidden, kAnswer,
    "The key is right, and lacks the scope or the function that the message names.",
    "Use a key that has it; whoever has a key with the scope admin makes one by POST /keys."};
inline constexpr ErrorEntry too_many_workers{
    "too_many_workers", ErrorKind::unavailable, kAnswer,
    "A heartbeat came of one worker more than the platform keeps account of.",
    "Give each worker one id for as long as it runs, or wait until others have been silent for 30 s."};
inline constexpr ErrorEntry rate_limited{
    "rate_limited", ErrorKind::rate_limited, kAnswer,
    "The address has sent as many requests as RATE_LIMIT allows in a window, or too many with a wrong key.",
    "Come back after Retry-After."};
inline constexpr ErrorEntry too_many_connections{
    "too_many_connections", ErrorKind::unavailable, kAnswer,
    "The server, or this address at it, has as many connections as it may.",
    "Reuse connections, and come back after Retry-After."};
inline constexpr ErrorEntry event_streams_full{"event_streams_full", ErrorKind::unavailable, kAnswer,
                                               "As many clients listen to GET /events as may at this program.",
                                               "Come back after Retry-After, or listen at another controller."};
inline constexpr ErrorEntry too_many_streams{"too_many_streams", ErrorKind::rate_limited, kAnswer,
                                             "The address listens to GET /events as often as it may.",
                                             "Close a stream, or hear more functions on one of them."};
inline constexpr ErrorEntry invalid_functions{"invalid_functions", ErrorKind::invalid, kAnswer,
                                              "functions is no list of at most 100 functions.",
                                              "Name ids, or name:NAME, with commas between them; or leave it out."};
inline constexpr ErrorEntry invalid_kinds{"invalid_kinds", ErrorKind::invalid, kAnswer,
                                          "kinds has something that is no kind of event.",
                                          "Name run, log or worker, with commas between them; or leave it out."};
inline constexpr ErrorEntry unknown_route{"unknown_route", ErrorKind::not_found, kAnswer, "No route has this path.",
                                          "Compare the path with the routes in http-api.md."};
inline constexpr ErrorEntry method_not_allowed{"method_not_allowed", ErrorKind::method_not_allowed, kAnswer,
                                               "The route has no such method.", "Use one that the Allow header lists."};
inline constexpr ErrorEntry invalid_request{"invalid_request", ErrorKind::invalid, kAnswer,
                                            "The request is not HTTP/1.1 as it should be.",
                                            "Mend the client; the message says what breaks the rules."};
inline constexpr ErrorEntry repeated_header{"repeated_header", ErrorKind::invalid, kAnswer,
                                            "A header that may come once only, such as x-api-key, comes twice.",
                                            "Send the header that the message names once."};
inline constexpr ErrorEntry header_too_large{"header_too_large", ErrorKind::too_large, kAnswer,
                                             "The request's header is larger than the server reads.",
                                             "Send fewer or shorter headers."};
inline constexpr ErrorEntry header_timeout{"header_timeout", ErrorKind::timeout, kAnswer,
                                           "The request's header did not arrive in time.",
                                           "Send it again on a connection that is not stalled."};
inline constexpr ErrorEntry body_incomplete{"body_incomplete", ErrorKind::invalid, kAnswer,
                                            "The connection ended before the body did, or its chunks are malformed.",
                                            "Send it again, whole."};
inline constexpr ErrorEntry body_timeout{"body_timeout", ErrorKind::timeout, kAnswer, "The body stopped arriving.",
                                         "Send it again on a connection that is not stalled."};
inline constexpr ErrorEntry body_too_large{"body_too_large", ErrorKind::too_large, kAnswer,
                                           "The body is larger than the route allows.",
                                           "Send less; the message has the bound."};
inline constexpr ErrorEntry unexpected_body{"unexpected_body", ErrorKind::invalid, kAnswer,
                                            "The request has a body, and the route takes none.",
                                            "Send it without one."};
inline constexpr ErrorEntry unsupported_media_type{"unsupported_media_type", ErrorKind::unsupported_media, kAnswer,
                                                   "The Content-Type is not the one that the route reads.",
                                                   "Send JSON as application/json, a form as multipart/form-data."};
inline constexpr ErrorEntry unsupported_charset{"unsupported_charset", ErrorKind::unsupported_media, kAnswer,
                                                "The Content-Type names another charset than UTF-8.",
                                                "Send JSON as UTF-8."};
inline constexpr ErrorEntry unsupported_content_encoding{"unsupported_content_encoding", ErrorKind::unsupported_media,
                                                         kAnswer, "The body comes in an encoding that is not read.",
                                                         "Send it as it is, or as gzip."};
inline constexpr ErrorEntry invalid_content_encoding{"invalid_content_encoding", ErrorKind::invalid, kAnswer,
                                                     "The body says that it is gzip, and is not, or not whole.",
                                                     "Compress it again, or send it as it is."};
inline constexpr ErrorEntry invalid_json{"invalid_json", ErrorKind::invalid, kAnswer, "The body is no JSON object.",
                                         "Mend it at the byte that the message names."};
inline constexpr ErrorEntry duplicate_field{"duplicate_field", ErrorKind::invalid, kAnswer,
                                            "A field is there twice, or under both of its names.", "Send it once."};
inline constexpr ErrorEntry invalid_multipart{"invalid_multipart", ErrorKind::invalid, kAnswer,
                                              "The form breaks the rules of multipart/form-data.",
                                              "Let an HTTP library write the form."};
inline constexpr ErrorEntry part_header_too_large{"part_header_too_large", ErrorKind::too_large, kAnswer,
                                                  "The headers of a form's part are too large.", "Shorten them."};
inline constexpr ErrorEntry too_many_parts{"too_many_parts", ErrorKind::too_large, kAnswer,
                                           "The form has too many parts.",
                                           "Send only the fields that the route reads."};
inline constexpr ErrorEntry field_too_large{"field_too_large", ErrorKind::too_large, kAnswer,
                                            "A form's field is larger than 64 KiB.", "Shorten it."};
inline constexpr ErrorEntry empty_field{"empty_field", ErrorKind::invalid, kAnswer,
                                        "A header or field is there but empty.", "Leave it out or give it a value."};
inline constexpr ErrorEntry invalid_limit{"invalid_limit", ErrorKind::invalid, kAnswer,
                                          "limit is no whole number in its range.",
                                          "Send one in the range that the message names."};
inline constexpr ErrorEntry invalid_cursor{"invalid_cursor", ErrorKind::invalid, kAnswer,
                                           "cursor is not one that this listing gave.",
                                           "Follow the Link header, or begin without a cursor."};
inline constexpr ErrorEntry invalid_start_time{"invalid_start_time", ErrorKind::invalid, kAnswer,
                                               "startTime is no ISO 8601 time.",
                                               "Send one such as 2026-01-31T12:00:00Z."};
inline constexpr ErrorEntry invalid_series_range{"invalid_series_range", ErrorKind::invalid, kAnswer,
                                                 "from, to and step name no series that can be told.",
                                                 "Ask for times within 30 days, in steps of 60 s or more."};
inline constexpr ErrorEntry invalid_trace_id{"invalid_trace_id", ErrorKind::invalid, kAnswer,
                                             "traceId is no W3C trace id.",
                                             "Send the 32 lower-case digits that the run's result has as traceId."};
inline constexpr ErrorEntry invalid_format{"invalid_format", ErrorKind::invalid, kAnswer,
                                           "format is none of those that GET /logs has.",
                                           "Leave it out, or send format=native."};
inline constexpr ErrorEntry invalid_heartbeat{"invalid_heartbeat", ErrorKind::invalid, kAnswer,
                                              "A worker's heartbeat lacks a field, or has one of another type.",
                                              "Send it as http-api.md describes; the message names the field."};
inline constexpr ErrorEntry internal{"internal", ErrorKind::internal, kAnswer, "Something broke inside Infra.",
                                     "Look for the requestId in its log, and report it."};

// A function's settings.
inline constexpr ErrorEntry invalid_name{"invalid_name", ErrorKind::invalid, kAnswer,
                                         "name is empty, too long, or no UTF-8 text without control characters; or it "
                                         "is to be claimed, and is none that can be.",
                                         "Choose another, percent-encoded in a header or form; of names to be claimed "
                                         "the message proposes one."};
inline constexpr ErrorEntry invalid_description{"invalid_description", ErrorKind::invalid, kAnswer,
                                                "description is too long, or no UTF-8 text.", "Shorten or mend it."};
inline constexpr ErrorEntry invalid_runtime{"invalid_runtime", ErrorKind::invalid, kAnswer | kError,
                                            "runtime is none that there is, in an upload or in a queued job.",
                                            "Send one that the message lists."};
inline constexpr ErrorEntry invalid_memory{"invalid_memory", ErrorKind::invalid, kAnswer,
                                           "memoryMb is no whole number in its range.",
                                           "Send one in the range that the message names."};
inline constexpr ErrorEntry invalid_timeout{"invalid_timeout", ErrorKind::invalid, kAnswer,
                                            "timeoutMs is no whole number in its range.",
                                            "Send one in the range that the message names."};
inline constexpr ErrorEntry invalid_env_vars{
    "invalid_env_vars", ErrorKind::invalid, kAnswer,
    "envVars is no JSON object of strings, or has a name or value that no environment can hold.",
    "Mend what the message names."};
inline constexpr ErrorEntry reserved_env_var{"reserved_env_var", ErrorKind::invalid, kAnswer,
                                             "envVars sets a name that the platform or the loader uses.",
                                             "Choose another name."};
inline constexpr ErrorEntry invalid_network{"invalid_network", ErrorKind::invalid, kAnswer,
                                            "network is none of those that there are.",
                                            "Send one that the message lists."};
inline constexpr ErrorEntry egress_unavailable{
    "egress_unavailable", ErrorKind::unusable, kAnswer | kFailed,
    "The function asks for network \"egress\", and the machine can't give it.",
    "Let the operator mend what the message names, or set network to \"none\"."};
inline constexpr ErrorEntry invalid_keep_warm{"invalid_keep_warm", ErrorKind::invalid, kAnswer,
                                              "keepWarm is no whole number in its range.",
                                              "Send one in the range that the message names."};
inline constexpr ErrorEntry invalid_max_concurrency{"invalid_max_concurrency", ErrorKind::invalid, kAnswer,
                                                    "maxConcurrency is no whole number in its range.",
                                                    "Send one in the range that the message names."};
inline constexpr ErrorEntry unknown_field{"unknown_field", ErrorKind::invalid, kAnswer,
                                          "A change names a field that no function has, or that can't be changed.",
                                          "Send only those that the message lists."};
inline constexpr ErrorEntry nothing_to_change{"nothing_to_change", ErrorKind::invalid, kAnswer,
                                              "A change changes nothing.", "Send at least one field, or a file."};
inline constexpr ErrorEntry nothing_to_apply{
    "nothing_to_apply", ErrorKind::conflict, kAnswer,
    "There is no memory recommendation, or the function has that memory already.",
    "Ask again after more runs; the message says what is lacking."};

// A bundle.
inline constexpr ErrorEntry file_missing{"file_missing", ErrorKind::invalid, kAnswer, "The form has no file.",
                                         "Send the ZIP in the form field \"file\"."};
inline constexpr ErrorEntry wrong_file_field{"wrong_file_field", ErrorKind::invalid, kAnswer,
                                             "The form has a file under another name than \"file\".",
                                             "Send the ZIP in the form field \"file\"."};
inline constexpr ErrorEntry duplicate_file{"duplicate_file", ErrorKind::invalid, kAnswer, "The form has two files.",
                                           "Upload one ZIP."};
inline constexpr ErrorEntry bundle_too_large{"bundle_too_large", ErrorKind::too_large, kAnswer | kFailed,
                                             "The ZIP is larger than 50 MiB.",
                                             "Leave out what the function does not need."};
inline constexpr ErrorEntry not_a_zip{"not_a_zip", ErrorKind::invalid, kAnswer | kFailed,
                                      "The file is no ZIP, is damaged, or has entries that share their data.",
                                      "Pack it again with plain zip."};
inline constexpr ErrorEntry bundle_empty{"bundle_empty", ErrorKind::invalid, kAnswer | kFailed,
                                         "The ZIP has nothing in it.", "Put the code into it."};
inline constexpr ErrorEntry bundle_encrypted{"bundle_encrypted", ErrorKind::invalid, kAnswer | kFailed,
                                             "An entry is encrypted.", "Pack it without a password."};
inline constexpr ErrorEntry bundle_compression{"bundle_compression", ErrorKind::invalid, kAnswer | kFailed,
                                               "An entry is packed by another method than deflate.",
                                               "Pack it again with plain zip."};
inline constexpr ErrorEntry bundle_corrupt{
    "bundle_corrupt", ErrorKind::invalid, kAnswer | kFailed | kError,
    "An entry's data are not what the directory says, or stored code is not what was uploaded.",
    "Upload the code again."};
inline constexpr ErrorEntry bundle_too_many_entries{
    "bundle_too_many_entries", ErrorKind::invalid, kAnswer | kFailed,
    "The ZIP has more than 10,000 entries, or 20,000 with the folders that their paths imply.", "Pack fewer files."};
inline constexpr ErrorEntry bundle_too_large_unpacked{"bundle_too_large_unpacked", ErrorKind::too_large,
                                                      kAnswer | kFailed, "The ZIP unpacks to more than 250 MiB.",
                                                      "Leave out what the function does not need."};
inline constexpr ErrorEntry bundle_ratio{"bundle_ratio", ErrorKind::invalid, kAnswer | kFailed,
                                         "A file over 1 MiB is packed more than 200 to 1.",
                                         "Let the function make that file itself."};
inline constexpr ErrorEntry invalid_bundle_path{"invalid_bundle_path", ErrorKind::invalid, kAnswer | kFailed,
                                                "An entry's path leaves the ZIP, or can't be a file's on Linux.",
                                                "Pack it again with plain zip; the message names the path."};
inline constexpr ErrorEntry bundle_has_link{"bundle_has_link", ErrorKind::invalid, kAnswer | kFailed,
                                            "A link leads out of the ZIP, or is too long.",
                                            "Replace it by what it leads to."};
inline constexpr ErrorEntry bundle_has_special_file{"bundle_has_special_file", ErrorKind::invalid, kAnswer | kFailed,
                                                    "An entry is a device, a pipe or a socket.", "Leave it out."};
inline constexpr ErrorEntry bundle_duplicate_entry{"bundle_duplicate_entry", ErrorKind::invalid, kAnswer | kFailed,
                                                   "One path is both a file or link and a folder.",
                                                   "Pack it again without one of the two."};
inline constexpr ErrorEntry bundle_entry_missing{"bundle_entry_missing", ErrorKind::invalid, kAnswer | kFailed,
                                                 "The runtime's entry file is not at the ZIP's root.",
                                                 "Do as the message says, which tells what is there instead."};
inline constexpr ErrorEntry bundle_entry_ambiguous{"bundle_entry_ambiguous", ErrorKind::invalid, kAnswer | kFailed,
                                                   "main.cpp and main.go are both at the ZIP's root.",
                                                   "Leave one of them out."};
inline constexpr ErrorEntry invalid_executable{"invalid_executable", ErrorKind::invalid, kAnswer | kFailed,
                                               "The ready binary is no program for this machine.",
                                               "Build it for Linux on the processor that the message names."};
inline constexpr ErrorEntry compile_error{"compile_error", ErrorKind::unusable, kAnswer | kFailed,
                                          "The source does not compile.",
                                          "Mend what the compiler says in the message."};
inline constexpr ErrorEntry compiler_missing{
    "compiler_missing", ErrorKind::unavailable, kAnswer | kError, "The worker has no compiler for the runtime.",
    "Install the package that the message names there, or upload a ready binary."};
inline constexpr ErrorEntry bundle_unreadable{"bundle_unreadable", ErrorKind::internal, kAnswer | kError,
                                              "The received ZIP could not be read back from the disk.",
                                              "Look for the disk's errors in the system's log."};
inline constexpr ErrorEntry bundle_not_unpacked{"bundle_not_unpacked", ErrorKind::internal, kAnswer | kError,
                                                "The code could not be written to the worker's disk.",
                                                "Look at what the message says of that disk."};

// Functions, runs and what they leave.
inline constexpr ErrorEntry function_not_found{"function_not_found", ErrorKind::not_found, kAnswer,
                                               "There is no function with this id.", "Take an id from GET /functions."};
inline constexpr ErrorEntry name_not_found{"name_not_found", ErrorKind::not_found, kAnswer,
                                           "No function has claimed this name.",
                                           "Deploy one with deploy=true, or let one claim it with PUT and claim."};
inline constexpr ErrorEntry name_taken{"name_taken", ErrorKind::conflict, kAnswer,
                                       "Another function has claimed this name, or is about to.",
                                       "Choose another, or replace that function with deploy=true."};
inline constexpr ErrorEntry invalid_key{"invalid_key", ErrorKind::invalid, kAnswer,
                                        "POST /keys describes a key that can't be.",
                                        "Mend the field that the message names; it says what is allowed."};
inline constexpr ErrorEntry key_not_found{"key_not_found", ErrorKind::not_found, kAnswer,
                                          "There is no key of this id, or it is revoked.",
                                          "GET /keys lists those that there are."};
inline constexpr ErrorEntry old_secret_not_found{"old_secret_not_found", ErrorKind::not_found, kAnswer,
                                                 "The key has one secret only.",
                                                 "POST /keys/:id/rotate gives it a second one."};
inline constexpr ErrorEntry old_secret_kept{"old_secret_kept", ErrorKind::conflict, kAnswer,
                                            "The key has two secrets already.",
                                            "Drop the older one first: DELETE /keys/:id/secrets/old."};
inline constexpr ErrorEntry too_many_keys{
    "too_many_keys", ErrorKind::conflict, kAnswer, "There are as many keys as there may be.",
    "Revoke some; those that are revoked or expired leave the list after a week."};
inline constexpr ErrorEntry key_changing{"key_changing", ErrorKind::conflict, kAnswer,
                                         "Others are changing the same key.", "Send the request again."};
inline constexpr ErrorEntry configuration_absent{
    "configuration_absent", ErrorKind::not_set_up, kAnswer,
    "The fleet has no table for what is not a function, and names stand in it.",
    "The operator makes the table with `infra setup aws`; ids do without."};
inline constexpr ErrorEntry invalid_claim{"invalid_claim", ErrorKind::invalid, kAnswer,
                                          "claim is neither true nor false.", "Send true, or leave it out."};
inline constexpr ErrorEntry invalid_deploy{"invalid_deploy", ErrorKind::invalid, kAnswer,
                                           "deploy is neither true nor false.", "Send true, or leave it out."};
inline constexpr ErrorEntry function_exists{"function_exists", ErrorKind::conflict, kAnswer,
                                            "A function with the id that was drawn exists already.", "Upload again."};
inline constexpr ErrorEntry function_has_no_code{
    "function_has_no_code", ErrorKind::conflict, kAnswer | kError,
    "The function's row names no code, as the reference platform leaves some behind.",
    "Give it a ZIP with PUT /functions/:id, or remove it with DELETE."};
inline constexpr ErrorEntry function_id_missing{"function_id_missing", ErrorKind::invalid, kAnswer,
                                                "The body has no functionId.", "Name the function to run."};
inline constexpr ErrorEntry invalid_functionId{"invalid_functionId", ErrorKind::invalid, kAnswer,
                                               "functionId is empty or no string.", "Name the function to run."};
inline constexpr ErrorEntry invalid_modelId{"invalid_modelId", ErrorKind::invalid, kAnswer,
                                            "modelId is no string, too long, or has a NUL in it.",
                                            "Send a model's name of at most 256 bytes, or leave it out."};
inline constexpr ErrorEntry invalid_async{"invalid_async", ErrorKind::invalid, kAnswer,
                                          "The x-async header is neither true nor false.",
                                          "Send true or false, or leave it out."};
inline constexpr ErrorEntry function_busy{
    "function_busy", ErrorKind::rate_limited, kAnswer,
    "The function runs as often at once as its maxConcurrency says, and as many runs as may wait do.",
    "Come back after Retry-After, or raise maxConcurrency."};
inline constexpr ErrorEntry function_quarantined{
    "function_quarantined", ErrorKind::unavailable, kAnswer,
    "Three jobs of this version of the function were lost with their worker within an hour.",
    "Upload new code, or come back after Retry-After; look into the log for what ended the worker."};
inline constexpr ErrorEntry queue_full{"queue_full", ErrorKind::unavailable, kAnswer,
                                       "More jobs wait than the queue may hold.", "Come back after Retry-After."};
inline constexpr ErrorEntry payload_too_large{
    "payload_too_large", ErrorKind::too_large, kAnswer,
    "The input does not fit a queue message, and a worker of the reference platform is there, which could not read it.",
    "Send less input, or retire that worker."};
inline constexpr ErrorEntry job_exists{"job_exists", ErrorKind::conflict, kAnswer,
                                       "A job with the request's id is queued already.", "Send the request again."};
inline constexpr ErrorEntry wait_timeout{"wait_timeout", ErrorKind::timeout, kAnswer,
                                         "The wait ended after 290 s; the function still runs.",
                                         "Ask GET /status with the jobId for its result."};
inline constexpr ErrorEntry job_not_found{"job_not_found", ErrorKind::not_found, kAnswer,
                                          "There is no job with this id, or its result has expired.",
                                          "Results are kept for an hour."};
inline constexpr ErrorEntry unknown_job{"unknown_job", ErrorKind::not_found, kAnswer,
                                        "There is no job with this id, or its result has expired.",
                                        "Results are kept for an hour."};
inline constexpr ErrorEntry stored_result_broken{"stored_result_broken", ErrorKind::internal, kAnswer,
                                                 "The stored result can't be read.",
                                                 "Run the function again, and look at the data folder's disk."};
inline constexpr ErrorEntry log_not_found{"log_not_found", ErrorKind::not_found, kAnswer,
                                          "There is no log of this request, or it has expired.",
                                          "Logs are kept for 30 days."};
inline constexpr ErrorEntry output_file_not_found{
    "output_file_not_found", ErrorKind::not_found, kAnswer,
    "The run left no output file of this name, or it has expired.",
    "Take the name from the run's outputFiles; files are kept for 30 days."};

// How a run ended.
inline constexpr ErrorEntry handler_error{"handler_error", ErrorKind::unusable, kFailed,
                                          "The handler threw, or a script could not be started.",
                                          "Read the traceback in stderr."};
inline constexpr ErrorEntry import_error{
    "import_error", ErrorKind::unusable, kFailed,
    "The code could not be loaded: a syntax error, a missing package, an exception at the top level.",
    "Mend what the message names."};
inline constexpr ErrorEntry handler_missing{"handler_missing", ErrorKind::unusable, kFailed,
                                            "The entry file offers no handler.",
                                            "Define one as functions.md describes."};
inline constexpr ErrorEntry result_not_json{"result_not_json", ErrorKind::too_large, kFailed,
                                            "The result has something that JSON can't hold, or is nested too deeply.",
                                            "Return plain values."};
inline constexpr ErrorEntry result_too_large{"result_too_large", ErrorKind::too_large, kFailed,
                                             "The result is larger than 6 MiB.",
                                             "Return less, or write an output file."};
inline constexpr ErrorEntry exited{"exited", ErrorKind::unusable, kFailed,
                                   "The code ended its process, or a script's exit code was not 0.",
                                   "Return from the handler instead; read stderr."};
inline constexpr ErrorEntry crashed{"crashed", ErrorKind::unusable, kFailed,
                                    "The process was ended by the signal that the message names.",
                                    "Mend the program; run it under a debugger."};
inline constexpr ErrorEntry out_of_memory{"out_of_memory", ErrorKind::unusable, kFailed,
                                          "The function used more than its memory.", "Raise memoryMb, or use less."};
inline constexpr ErrorEntry runner_broken{"runner_broken", ErrorKind::invalid, kFailed,
                                          "The function disturbed the process that runs it.",
                                          "Leave descriptors alone that the function has not opened."};
inline constexpr ErrorEntry timeout{"timeout", ErrorKind::timeout, kTimedOut,
                                    "The function did not finish within its timeoutMs.",
                                    "Raise timeoutMs, or do less in a run."};
inline constexpr ErrorEntry worker_lost{"worker_lost", ErrorKind::unavailable, kError,
                                        "The job was started three times, and its worker was lost each time.",
                                        "Look into the workers' logs for what ended them."};
inline constexpr ErrorEntry sandbox_failed{"sandbox_failed", ErrorKind::unavailable, kAnswer | kError,
                                           "The worker could not start a sandbox.",
                                           "Do as the message says, which names the step."};
inline constexpr ErrorEntry no_free_slot{"no_free_slot", ErrorKind::unavailable, kAnswer | kError,
                                         "All sandboxes of the worker are in use.", "Try again; add workers."};
inline constexpr ErrorEntry no_descriptors{
    "no_descriptors", ErrorKind::unavailable, kAnswer | kError,
    "A program of the platform has as many files, connections and sandboxes open as its limit of descriptors allows.",
    "Try again in a moment; the operator raises the limit (systemd's LimitNOFILE)."};
inline constexpr ErrorEntry input_lost{"input_lost", ErrorKind::not_found, kError,
                                       "The job's large input was removed from the bucket before it ran.",
                                       "Send the run again; keep payloads/ as long as the queue keeps messages."};
inline constexpr ErrorEntry input_not_seen{"input_not_seen", ErrorKind::unavailable, kError,
                                           "A worker of the reference platform ran a job whose input it can't read.",
                                           "Send the run again; the function may have run on {}."};
inline constexpr ErrorEntry invalid_message{"invalid_message", ErrorKind::invalid, kError,
                                            "The queue's message is no job that could be run.",
                                            "Mend the sender; the message says what is wrong."};
inline constexpr ErrorEntry code_not_found{"code_not_found", ErrorKind::not_found, kAnswer | kError,
                                           "The function's code is not in the store.", "Upload it again."};
inline constexpr ErrorEntry code_store_unavailable{
    "code_store_unavailable", ErrorKind::unavailable, kAnswer | kError,
    "The store of code and objects does not answer as it should.",
    "Try again in a moment; the operator looks at the bucket or the data folder."};
inline constexpr ErrorEntry shutting_down{
    "shutting_down", ErrorKind::unavailable, kAnswer | kError, "The program is stopping.",
    "Send the request again; a run whose answer has a jobId may have its result at GET /status."};

inline constexpr ErrorEntry builds_busy{"builds_busy", ErrorKind::unavailable, kAnswer | kError,
                                        "As much code waits to be compiled on the worker as may.",
                                        "Run the function again in a moment."};

// Engines.
inline constexpr ErrorEntry storage_full{
    "storage_full", ErrorKind::unavailable, kAnswer,
    "The data folder's disk is nearly full: uploads, then asynchronous runs are refused before it is.",
    "Come back after Retry-After; the operator frees some space."};
inline constexpr ErrorEntry overloaded{"overloaded", ErrorKind::unavailable, kAnswer,
                                       "The program is short of what the message names.",
                                       "Come back after Retry-After."};
inline constexpr ErrorEntry disk_full{"disk_full", ErrorKind::unavailable, kAnswer | kError,
                                      "The data folder's or the worker's disk is full.",
                                      "Free some space; nothing that was accepted is lost."};
inline constexpr ErrorEntry disk_failed{"disk_failed", ErrorKind::unavailable, kAnswer | kError,
                                        "The compiled program could not be written on the worker.",
                                        "Look at what the message says of that disk."};
inline constexpr ErrorEntry disk_error{"disk_error", ErrorKind::internal, kAnswer | kError,
                                       "The data folder's disk failed.", "Look at what the message says of that disk."};
inline constexpr ErrorEntry engine_unavailable{"engine_unavailable", ErrorKind::unavailable, kAnswer,
                                               "The database in the data folder can't be used.",
                                               "Do as the message says; try again in a moment."};
inline constexpr ErrorEntry redis_unavailable{"redis_unavailable", ErrorKind::unavailable, kAnswer,
                                              "Redis does not answer.",
                                              "Try again in a moment; check REDIS_HOST and its neighbours."};
inline constexpr ErrorEntry redis_refused{"redis_refused", ErrorKind::internal, kAnswer, "Redis refused a command.",
                                          "Give its user the rights in aws.md; the message has Redis' words."};
inline constexpr ErrorEntry table_missing{"table_missing", ErrorKind::unavailable, kAnswer,
                                          "A DynamoDB table does not exist.", "Check its name and AWS_REGION."};
inline constexpr ErrorEntry queue_missing{"queue_missing", ErrorKind::unavailable, kAnswer,
                                          "The job queue does not exist.", "Check SQS_URL and AWS_REGION."};
inline constexpr ErrorEntry s3_refused{"s3_refused", ErrorKind::internal, kAnswer | kError, "S3 refused a request.",
                                       "Check BUCKET_NAME, AWS_REGION and S3_ENDPOINT."};
inline constexpr ErrorEntry aws_throttled{"aws_throttled", ErrorKind::unavailable, kAnswer | kError,
                                          "An AWS service asks for fewer requests.",
                                          "Try again in a moment; raise the service's limits."};
inline constexpr ErrorEntry aws_unavailable{"aws_unavailable", ErrorKind::unavailable, kAnswer | kError,
                                            "An AWS service failed or is out of reach.", "Try again in a moment."};
inline constexpr ErrorEntry aws_timeout{"aws_timeout", ErrorKind::unavailable, kAnswer | kError,
                                        "An AWS service did not answer in time.", "Try again in a moment."};
inline constexpr ErrorEntry aws_denied{"aws_denied", ErrorKind::unavailable, kAnswer | kError,
                                       "An AWS service denies access.",
                                       "Check the credentials, their policy and the machine's clock."};
inline constexpr ErrorEntry aws_refused{"aws_refused", ErrorKind::invalid, kAnswer,
                                        "An AWS service finds a request malformed.",
                                        "Check the names, the region and the endpoints."};
inline constexpr ErrorEntry aws_too_large{"aws_too_large", ErrorKind::too_large, kAnswer,
                                          "An AWS service finds a request too large.", "Send less."};
inline constexpr ErrorEntry circuit_open{"circuit_open", ErrorKind::unavailable, kAnswer | kError,
                                         "An AWS service has been failing, and is left alone for a moment.",
                                         "Try again in a moment."};
inline constexpr ErrorEntry no_credentials{"no_credentials", ErrorKind::unavailable, kAnswer | kError,
                                           "There are no AWS credentials, or they can't be fetched.",
                                           "Give the program some; the message says where it looked."};

}  // namespace infra::errors
