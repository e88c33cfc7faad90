// TLS 1.2 and later on the server's side, over a socket that does not block: a certificate that can be replaced while
// connections go on, and what one connection says. OpenSSL reads and writes the socket itself, so that a plain
// connection is the code it would be without this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/error.h"
#include "core/mutex.h"

struct ssl_ctx_st;
struct ssl_st;

namespace infra::net {

// As the two files have them: the certificate with its chain behind it, and its key without a password.
struct TlsPem {
  std::string certificate;
  std::string key;
};

class TlsContext {
 public:
  // `invalid` (code invalid_tls): which of the two is no PEM, or that they don't belong together.
  static Result<std::shared_ptr<const TlsContext>> create(const TlsPem& pem);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

 private:
  friend class TlsStream;
  TlsContext();
  ssl_ctx_st* const context_;
};

// What new connections of a port are served with. Any thread.
class TlsPort {
 public:
  explicit TlsPort(std::shared_ptr<const TlsContext> context) : context_(std::move(context)) {}
  [[nodiscard]] std::shared_ptr<const TlsContext> current() const {
    const MutexLock lock(mutex_);
    return context_;
  }
  void replace(std::shared_ptr<const TlsContext> context) {
    const MutexLock lock(mutex_);
    context_ = std::move(context);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const TlsContext> context_ INFRA_GUARDED_BY(mutex_);
};

// One connection's. No call waits: it says what the socket must be ready for, and is then to be made again.
class TlsStream {
 public:
  enum class Step : std::uint8_t {
    done,
    read,        // when the socket can be read
    write,       // when it can be written
    plain_http,  // of the handshake: the client does not speak TLS
    end          // the client is gone, or broke the rules
  };
  struct Moved {
    Step step = Step::end;
    std::size_t bytes = 0;
  };

  TlsStream(const TlsContext& context, int socket);  // the socket stays its owner's
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  [[nodiscard]] Step shake_hands();
  [[nodiscard]] Moved read(std::span<char> into);
  [[nodiscard]] Moved write(std::span<const char> bytes);
  void say_goodbye();  // once; as far as the socket takes it now

 private:
  [[nodiscard]] Step step_after(int result) const;

  ssl_st* const ssl_;
  bool ended_ = false;
};

}  // namespace infra::net
