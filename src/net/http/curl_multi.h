// libcurl's multi interface on one event thread: Asio says when a socket is ready or time is up, curl does the rest.
// Its own connection pool makes keep-alive work.
#pragma once

#include <curl/curl.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "core/task.h"

namespace infra::net {

class CurlMulti;

// One easy handle. Destroying it takes it out of the multi handle, whatever state it is in.
class CurlTransfer {
 public:
  CurlTransfer();
  virtual ~CurlTransfer();
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  [[nodiscard]] CURL* easy() const { return easy_; }
  // How it ended; CURLE_ABORTED_BY_CALLBACK if the caller was cancelled or the client closed.
  [[nodiscard]] CURLcode code() const { return code_; }

 protected:
  // From the read callback, which has nothing to send yet and pauses: feed() is called, then it is asked again.
  void starve();
  // Fetches more to send. The transfer may end meanwhile.
  virtual Task<void> feed() { co_return; }

 private:
  friend class CurlMulti;
  CURL* easy_;
  CURLcode code_ = CURLE_ABORTED_BY_CALLBACK;
  bool finished_ = false;
  bool starved_ = false;
  boost::asio::steady_timer* wake_ = nullptr;  // cancelled to wake run()
};

// Lives and dies on one event thread, or after that thread is gone.
class CurlMulti : public std::enable_shared_from_this<CurlMulti> {
 public:
  explicit CurlMulti(boost::asio::io_context& context);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  // Until the transfer has ended. The caller holds the multi handle and the transfer. Cancelling the coroutine ends it.
  Task<void> run(CurlTransfer& transfer);
  // Ends every transfer; later ones fail at once.
  void close();

 private:
  // A socket that curl wants to hear of. The descriptor only borrows it: curl opens and closes its sockets itself.
  struct Watch : std::enable_shared_from_this<Watch> {
    explicit Watch(boost::asio::io_context& context) : descriptor(context) {}
    boost::asio::posix::stream_descriptor descriptor;
    bool wants_read = false, wants_write = false;  // as curl last said
    bool reading = false, writing = false;         // a wait is under way
    bool dropped = false;
  };
  // Reading or writing.
  struct WaitKind {
    boost::asio::posix::descriptor_base::wait_type type;
    int event;
    bool Watch::* wanted;
    bool Watch::* pending;
  };
  class Membership;

  int on_socket(curl_socket_t socket, int what);
  void on_timer(long timeout_ms);
  void arm(Watch& watch);
  void wait(Watch& watch, const WaitKind& kind);
  static void drop(Watch& watch);
  void act(curl_socket_t socket, int events);
  void resume(CurlTransfer& transfer);
  static void finish(CurlTransfer& transfer, CURLcode code);

  boost::asio::io_context& context_;
  boost::asio::steady_timer timer_;
  CURLM* multi_;
  std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches_;
  std::unordered_set<CurlTransfer*> transfers_;
  bool closed_ = false;
};

}  // namespace infra::net
