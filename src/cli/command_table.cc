#include "cli/command_table.h"

#include <algorithm>

#include "cli/run_commands.h"

namespace infra::cli {
namespace {

// Settings of a function, for those that make or change one. tools/cli_docs.py reads this file: literals alone.
const std::vector<Option> kSettingOptions = {
    {.name = "--memory", .value = "MB", .help = "What a run may use: 128 to 10240, as 512 or 1gb."},
    {.name = "--timeout",
     .value = "TIME",
     .help = "How long a run may take: 30s, 500ms, 5m; a bare number is seconds."},
    {.name = "--env", .value = "K=V", .help = "A variable of the function's environment.", .many = true},
    {.name = "--network",
     .value = "NETWORK",
     .help = "none, or egress for connections to public addresses.",
     .choices = "none egress"},
    {.name = "--keep-warm", .value = "N", .help = "Instances that wait for calls, 0 to 16."},
    {.name = "--max-concurrency", .value = "N", .help = "Runs at once over the whole platform; 0 is no limit."},
    {.name = "--description", .value = "TEXT", .help = "What it is for."},
};

const std::vector<Option> kServerOptions = {
    {.name = "--address", .value = "ADDRESS", .help = "The address to listen on, in place of all (dev: loopback)."},
    {.name = "--user",
     .value = "USER",
     .help = "Whom to become once the privileged part is set apart (started with sudo)."},
};

std::vector<Option> with(const std::vector<Option>& first, const std::vector<Option>& more) {
  std::vector<Option> all = first;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

const std::vector<Command> kCommands = {
    {.name = "init",
     .arguments = "RUNTIME NAME",
     .completes = "python nodejs cpp go",
     .summary = "Make a folder with a function that works.",
     .details = "RUNTIME is python, nodejs, cpp or go. The folder NAME gets the code, infra.toml with the settings, "
                "event.json with an input to try it with, and .infraignore. What is there already is left alone.",
     .least = 2,
     .most = 2,
     .asks = false,
     .run = run_init,
     .examples = {{.line = "infra init python hello", .says = "Makes hello/main.py and what goes with it."}}},
    {.name = "deploy",
     .arguments = "[DIR|ZIP]",
     .completes = "files",
     .summary = "Upload a folder or a ZIP; make the function, or replace it.",
     .details =
         "The folder (here if none is given) is packed while it is sent, without what .infraignore names; .git, "
         "__pycache__, .env and infra.toml never go along. The name and the other settings come from the options, "
         "else from infra.toml beside the code; the name from the folder's, the runtime from its entry file. "
         "A function of that name is replaced, and settings that nothing names stay as they are.",
     .most = 1,
     .run = run_deploy,
     .options = with({{.name = "--name", .value = "NAME", .help = "What it is called."},
                      {.name = "--runtime",
                       .value = "RUNTIME",
                       .help = "python, nodejs, cpp or go, where the files do not tell.",
                       .choices = "python nodejs cpp go"}},
                     kSettingOptions),
     .examples = {{.line = "infra deploy hello",
                   .says = "Packs the folder, and makes the function hello or replaces it."},
                  {.line = "infra deploy hello --memory 256 --timeout 30s --env GREETING=Hi",
                   .says = "The same with settings."},
                  {.line = "infra deploy hello.zip --name hello", .says = "A ZIP that is there already."}}},
    {.name = "invoke",
     .arguments = "NAME",
     .summary = "Run a function and print its result.",
     .details =
         "The result goes to stdout; what the function printed, and how the run went, to stderr. DATA is JSON, @ "
         "and a file, or - for stdin. Without --data the input is null. --tail runs it as a job; with --json "
         "its lines are objects on stderr.",
     .least = 1,
     .most = 1,
     .run = run_invoke,
     .options = {{.name = "--data", .value = "DATA", .letter = "-d", .help = "The input: JSON, @FILE, or - for stdin."},
                 {.name = "--async", .help = "Do not wait for the result; print the job's id."},
                 {.name = "--wait", .help = "Wait until it has ended, however long that takes."},
                 {.name = "--tail", .help = "The same, and show what it prints while it runs."},
                 {.name = "--model", .value = "MODEL", .help = "The AI node's model for this run."}},
     .examples = {{.line = "infra invoke hello -d '{\"name\": \"Ada\"}'", .says = "Runs it with an input."},
                  {.line = "infra invoke hello -d @hello/event.json", .says = "With the input that is in a file."},
                  {.line = "echo '{\"name\": \"Ada\"}' | infra invoke hello -d -",
                   .says = "With the input from a pipe."},
                  {.line = "infra invoke hello --tail", .says = "Shows what it prints while it runs."},
                  {.line = "JOB=$(infra invoke hello --async)", .says = "Starts it, and keeps the job's id."}}},
    {.name = "status",
     .arguments = "JOB",
     .summary = "Show the result of an asynchronous run.",
     .details =
         "Prints as invoke does. A run that goes on is said so; --wait waits for its end. Results are kept for an "
         "hour.",
     .least = 1,
     .most = 1,
     .run = run_status,
     .options = {{.name = "--wait", .help = "Wait until it has ended."}},
     .examples = {{.line = "infra status \"$JOB\" --wait", .says = "Waits for a run, and prints its result."}}},
    {.name = "logs",
     .arguments = "NAME",
     .summary = "Show the runs of a function, the newest last.",
     .details =
         "With --json a JSON array, newest first, as the API gives it; with --follow a JSON object a line. Without it "
         "--follow shows the lines that functions print, too, behind the end of the run's id.",
     .least = 1,
     .most = 1,
     .run = run_logs,
     .options =
         {{.name = "--follow", .letter = "-f", .help = "Go on with new runs as they end, until Ctrl-C."},
          {.name = "--since", .value = "TIME", .help = "Not older than 10m, 2h, 1d, or a time in ISO 8601."},
          {.name = "--status",
           .value = "STATUS",
           .help = "Only such runs: SUCCESS, FAILED, TIMEOUT or ERROR.",
           .choices = "SUCCESS FAILED TIMEOUT ERROR"},
          {.name = "--request", .value = "ID", .help = "That run alone, with its whole message."},
          {.name = "--trace", .value = "ID", .help = "Runs of that trace, among the newest 1000."},
          {.name = "--limit", .value = "N", .letter = "-n", .help = "At most so many, 1 to 1000; 50 if not given."}},
     .examples = {{.line = "infra logs hello --since 10m", .says = "The runs of the last ten minutes."},
                  {.line = "infra logs hello --status FAILED -n 10", .says = "The last that failed."},
                  {.line = "infra logs hello --request \"$JOB\"", .says = "One run, with all that it printed."},
                  {.line = "infra logs hello -f", .says = "Runs as they end."}}},
    {.name = "list",
     .summary = "List the functions.",
     .run = run_list,
     .examples = {{.line = "infra list", .says = "A table."}, {.line = "infra list --json", .says = "For scripts."}}},
    {.name = "describe",
     .arguments = "NAME",
     .summary = "Show a function's settings and how it has run.",
     .least = 1,
     .most = 1,
     .run = run_describe,
     .options = {{.name = "--show-env",
                  .help = "With the values of its environment; the audit has it. The key needs the scope deploy."}},
     .examples = {{.line = "infra describe hello", .says = "Its settings, and how often and how long it ran."}}},
    {.name = "update",
     .arguments = "NAME",
     .summary = "Change a function's settings; its code stays.",
     .details = "--env sets the whole environment: what is not named is gone.",
     .least = 1,
     .most = 1,
     .run = run_update,
     .options =
         with({{.name = "--name", .value = "NAME", .help = "A new name."},
               {.name = "--claim", .help = "Of a function from before names were unique: let it have its name."}},
              kSettingOptions),
     .examples = {{.line = "infra update hello --memory 256 --keep-warm 1",
                   .says = "More memory, and one that waits."}}},
    {.name = "advice",
     .arguments = "NAME",
     .summary = "Say how much memory a function should have, and why.",
     .least = 1,
     .most = 1,
     .run = run_advice,
     .options = {{.name = "--apply", .help = "Set it."}},
     .examples = {{.line = "infra advice hello", .says = "From its recent runs."}}},
    {.name = "files",
     .arguments = "JOB",
     .summary = "List or fetch the files that a run left in /output.",
     .details = "JOB is the run's request id, for an hour after its end.",
     .least = 1,
     .most = 1,
     .run = run_files,
     .options = {{.name = "--output", .value = "DIR", .letter = "-o", .help = "Fetch them into this folder."}},
     .examples = {{.line = "infra files \"$JOB\" -o results", .says = "Fetches all of them."}}},
    {.name = "watch",
     .arguments = "[DIR]",
     .completes = "folders",
     .summary = "Deploy and run the test event again whenever a file is saved.",
     .details =
         "Deploys the folder (here if none is given) as deploy does, runs it with event.json, and does both again "
         "after each change, until Ctrl-C.",
     .most = 1,
     .run = run_watch,
     .examples = {{.line = "infra watch hello", .says = "In one window; edit in another."}}},
    {.name = "remove",
     .arguments = "NAME",
     .summary = "Delete a function and its logs.",
     .details = "Asks first, on a terminal; without one it needs --yes.",
     .least = 1,
     .most = 1,
     .run = run_remove,
     .options = {{.name = "--yes", .letter = "-y", .help = "Do not ask."}},
     .examples = {{.line = "infra remove hello --yes", .says = "Deletes it without asking."}}},
    {.name = "workers",
     .summary = "List the workers that live.",
     .run = run_workers,
     .examples = {{.line = "infra workers", .says = "Who they are, and what they do."}}},
    {.name = "models",
     .summary = "List the AI node's models.",
     .run = run_models,
     .examples = {{.line = "infra models", .says = "Their names and sizes."}}},
    {.name = "keys",
     .arguments = "[list | create NAME | rotate ID | revoke ID]",
     .completes = "list create rotate revoke",
     .summary = "List, make, rotate and revoke keys beside the master key.",
     .details =
         "create prints the new key to stdout, this once. A key does what its scopes say: invoke (run functions, "
         "get results and output files), read (functions, logs, workers, metrics), deploy (upload, change, delete), "
         "admin (all of these, and keys). rotate gives a key a second secret; the one before goes on until "
         "--drop-old. A key that is revoked is refused everywhere within five seconds.",
     .most = 2,
     .run = run_keys,
     .options = {{.name = "--scope",
                  .value = "SCOPE",
                  .help = "What a new key may: invoke, read, deploy or admin.",
                  .choices = "invoke read deploy admin",
                  .many = true},
                 {.name = "--function",
                  .value = "NAME",
                  .help = "A function that it is for, by name or id; all of them if none is given.",
                  .many = true},
                 {.name = "--rate", .value = "N", .help = "Requests in a window, in place of the address's rate."},
                 {.name = "--expires", .value = "TIME", .help = "When it ends, in ISO 8601."},
                 {.name = "--drop-old", .help = "With rotate: let the secret before go."}},
     .examples = {{.line = "infra keys create ci --scope deploy --scope read", .says = "For a pipeline."},
                  {.line = "KEY=$(infra keys create web --scope invoke --expires 2099-01-31)",
                   .says = "Keeps it in a variable."},
                  {.line = "infra keys list", .says = "Who may what, and when each was last used."},
                  {.line = "infra keys revoke \"${KEY%%.*}\"", .says = "The id is what stands before the dot."}}},
    {.name = "login",
     .arguments = "URL",
     .summary = "Keep a platform's address and key as a profile, and use it from now on.",
     .details =
         "The key is asked for, or read from stdin where that is no terminal; it is tried before it is kept. The "
         "profile is called as --profile says, else as the host, and is the default from then on.",
     .least = 1,
     .most = 1,
     .run = run_login,
     .options = {{.name = "--ca-file",
                  .value = "FILE",
                  .help = "Authorities in PEM that its certificate is verified against."}},
     .examples = {{.line = "infra login \"$URL\" < key-file", .says = "Reads the key from a file."}}},
    {.name = "completion",
     .arguments = "SHELL",
     .completes = "bash zsh fish",
     .summary = "Print the completion for bash, zsh or fish.",
     .least = 1,
     .most = 1,
     .asks = false,
     .run = run_completion,
     .examples = {{.line = "source <(infra completion bash)", .says = "In ~/.bashrc."},
                  {.line = "infra completion zsh > _infra", .says = "Into a folder of $fpath."},
                  {.line = "infra completion fish > infra.fish", .says = "Into ~/.config/fish/completions."}}},
    {.name = "man",
     .summary = "Print the manual page.",
     .asks = false,
     .run = run_man,
     .examples = {{.line = "infra man > infra.1", .says = "For man -l infra.1."}}},
    {.name = "dev",
     .summary = "Run the platform for yourself: on loopback, with a key it makes.",
     .details = "Writes the profile local, so that the other commands work at once.",
     .asks = false,
     .options = kServerOptions,
     .examples = {{.line = "infra dev", .says = "With its data in ./.infra."}}},
    {.name = "serve",
     .summary = "Run the platform; needs INFRA_API_KEY.",
     .details = "Its configuration comes from the environment and .env; README.md lists the variables.",
     .asks = false,
     .options = kServerOptions,
     .examples = {{.line = "infra serve", .says = "On all addresses."}}},
    {.name = "worker",
     .summary = "Run functions for a fleet: take jobs from SQS, settle them.",
     .details = "Its configuration comes from the environment and .env; README.md lists the variables.",
     .asks = false,
     .options = kServerOptions},
    {.name = "setup",
     .arguments = "aws",
     .completes = "aws",
     .summary = "Make what a fleet stands on in AWS, or check it.",
     .details =
         "The bucket with its lifecycle rules, the three tables, the job queue and the one for dead letters; Redis is "
         "only looked at. What is there already is left as it is, but for settings that a fleet can't do without. "
         "Names come from the environment and .env, as for serve: AWS_REGION and BUCKET_NAME are needed, the rest has "
         "the usual names. Nothing is ever deleted.",
     .least = 1,
     .most = 1,
     .asks = false,
     .options = {{.name = "--check", .help = "Make and change nothing; the status says whether all is there."},
                 {.name = "--json", .help = "Print JSON, for scripts."}},
     .examples = {{.line = "infra setup aws --check", .says = "What is there, and what is missing."},
                  {.line = "infra setup aws", .says = "Makes what is missing."}}},
    {.name = "walk-through",
     .summary = "Print the lines to try a running platform with.",
     .asks = false,
     .options = {{.name = "--port", .value = "PORT", .help = "Where it listens; 8080 if not given."},
                 {.name = "--key", .value = "KEY", .help = "Its API key."}},
     .examples = {{.line = "infra walk-through --key KEY", .says = "For the port 8080."}}},
    {.name = "version",
     .summary = "Print the version, and the commit that it was built from.",
     .asks = false,
     .examples = {{.line = "infra version", .says = "As infra --version."}}},
};

const std::vector<Option> kConnectionOptions = {
    {.name = "--url", .value = "URL", .help = "The platform's address."},
    {.name = "--api-key", .value = "KEY", .help = "Its key; other users of the machine can see it there."},
    {.name = "--profile", .value = "NAME", .help = "The profile to use, in place of the default."},
    {.name = "--json", .help = "Print JSON, for scripts; a failure is a JSON object on stderr."},
};

const std::vector<Option> kCommonOptions = {{.name = "--help", .letter = "-h", .help = "Print this."}};

}  // namespace

const std::vector<Command>& commands() {
  return kCommands;
}

const Command* find_command(std::string_view name) {
  const auto found = std::ranges::find(kCommands, name, &Command::name);
  return found == kCommands.end() ? nullptr : &*found;
}

const std::vector<Option>& connection_options() {
  return kConnectionOptions;
}

const std::vector<Option>& common_options() {
  return kCommonOptions;
}

std::vector<Option> options_of(const Command& command) {
  return with(command.options, command.asks ? with(kConnectionOptions, kCommonOptions) : kCommonOptions);
}

}  // namespace infra::cli
