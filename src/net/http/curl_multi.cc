#include "net/http/curl_multi.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <stdexcept>

namespace infra::net {
namespace {

constexpr long kMaxIdleConnections = 64;

void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) throw std::runtime_error("libcurl does not start");
}

}  // namespace

CurlTransfer::CurlTransfer() : easy_(curl_easy_init()) {
  if (easy_ == nullptr) throw std::bad_alloc();
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
}

CurlTransfer::~CurlTransfer() {
  curl_easy_cleanup(easy_);
}

void CurlTransfer::starve() {
  starved_ = true;
  if (wake_ != nullptr) wake_->cancel();
}

// A transfer's stay in the multi handle, also when its coroutine is destroyed while it waits.
class CurlMulti::Membership {
 public:
  Membership(CurlMulti& multi, CurlTransfer& transfer) : multi_(multi), transfer_(transfer) {
    if (multi_.closed_ || curl_multi_add_handle(multi_.multi_, transfer_.easy()) != CURLM_OK) {
      transfer_.finished_ = true;
      return;
    }
    multi_.transfers_.insert(&transfer_);
  }
  ~Membership() {
    transfer_.wake_ = nullptr;
    if (multi_.transfers_.erase(&transfer_) > 0) curl_multi_remove_handle(multi_.multi_, transfer_.easy());
  }
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

 private:
  CurlMulti& multi_;
  CurlTransfer& transfer_;
};

CurlMulti::CurlMulti(boost::asio::io_context& context) : context_(context), timer_(context) {
  start_curl();
  multi_ = curl_multi_init();
  if (multi_ == nullptr) throw std::bad_alloc();
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kMaxIdleConnections);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(
      multi_, CURLMOPT_SOCKETFUNCTION, +[](CURL*, curl_socket_t socket, int what, void* self, void*) {
        return static_cast<CurlMulti*>(self)->on_socket(socket, what);
      });
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(
      multi_, CURLMOPT_TIMERFUNCTION, +[](CURLM*, long timeout_ms, void* self) {
        static_cast<CurlMulti*>(self)->on_timer(timeout_ms);
        return 0;
      });
}

CurlMulti::~CurlMulti() {
  close();
  curl_multi_cleanup(multi_);
}

Task<void> CurlMulti::run(CurlTransfer& transfer) {
  boost::asio::steady_timer wake(context_, boost::asio::steady_timer::time_point::max());
  const Membership membership(*this, transfer);
  transfer.wake_ = &wake;
  while (!transfer.finished_) {
    if (std::exchange(transfer.starved_, false)) {
      co_await transfer.feed();
      if (!transfer.finished_) resume(transfer);
      continue;
    }
    co_await wake.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (!transfer.finished_ && !transfer.starved_) co_return;  // the caller was cancelled
  }
}

void CurlMulti::close() {
  closed_ = true;
  timer_.cancel();
  for (auto* transfer : std::exchange(transfers_, {})) {
    curl_multi_remove_handle(multi_, transfer->easy());
    finish(*transfer, CURLE_ABORTED_BY_CALLBACK);
  }
  for (auto& [socket, watch] : std::exchange(watches_, {})) drop(*watch);
}

int CurlMulti::on_socket(curl_socket_t socket, int what) {
  auto found = watches_.find(socket);
  if (what == CURL_POLL_REMOVE) {
    if (found == watches_.end()) return 0;
    drop(*found->second);
    watches_.erase(found);
    return 0;
  }
  if (closed_) return 0;
  if (found == watches_.end()) {
    auto watch = std::make_shared<Watch>(context_);
    boost::system::error_code refused;  // no memory to watch it with: that is its transfer's, which its time-out ends
    watch->descriptor.assign(socket, refused);
    if (refused) return 0;
    found = watches_.emplace(socket, std::move(watch)).first;
  }
  found->second->wants_read = (what & CURL_POLL_IN) != 0;
  found->second->wants_write = (what & CURL_POLL_OUT) != 0;
  arm(*found->second);
  return 0;
}

void CurlMulti::on_timer(long timeout_ms) {
  if (timeout_ms < 0 || closed_) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::milliseconds(timeout_ms));
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->act(CURL_SOCKET_TIMEOUT, 0);
  });
}

void CurlMulti::arm(Watch& watch) {
  using boost::asio::posix::descriptor_base;
  if (watch.wants_read) wait(watch, {descriptor_base::wait_read, CURL_CSELECT_IN, &Watch::wants_read, &Watch::reading});
  if (watch.wants_write) {
    wait(watch, {descriptor_base::wait_write, CURL_CSELECT_OUT, &Watch::wants_write, &Watch::writing});
  }
}

// The handlers own nothing: those that are left when an io_context goes down are destroyed after its services.
void CurlMulti::wait(Watch& watch, const WaitKind& kind) {
  if (std::exchange(watch.*kind.pending, true)) return;
  watch.descriptor.async_wait(kind.type, [weak_self = weak_from_this(), weak_watch = watch.weak_from_this(),
                                          kind](const boost::system::error_code& error) {
    const auto self = weak_self.lock();
    const auto watch = weak_watch.lock();
    if (!self || !watch || watch->dropped) return;
    (*watch).*kind.pending = false;
    if (!((*watch).*kind.wanted)) return;
    self->act(watch->descriptor.native_handle(), error ? CURL_CSELECT_ERR : kind.event);
    if (!watch->dropped) self->arm(*watch);
  });
}

void CurlMulti::drop(Watch& watch) {
  watch.dropped = true;
  watch.descriptor.release();  // before curl closes the socket; ends the waits
}

void CurlMulti::act(curl_socket_t socket, int events) {
  if (closed_) return;
  int running = 0;
  curl_multi_socket_action(multi_, socket, events, &running);
  int left = 0;
  while (const auto* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto code = message->data.result;
    CurlTransfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    transfers_.erase(transfer);
    curl_multi_remove_handle(multi_, transfer->easy());
    finish(*transfer, code);
  }
}

void CurlMulti::resume(CurlTransfer& transfer) {
  curl_easy_pause(transfer.easy(), CURLPAUSE_CONT);
  act(CURL_SOCKET_TIMEOUT, 0);
}

void CurlMulti::finish(CurlTransfer& transfer, CURLcode code) {
  transfer.code_ = code;
  transfer.finished_ = true;
  if (transfer.wake_ != nullptr) transfer.wake_->cancel();
}

}  // namespace infra::net
