// libcurl for Swift: its setters and getters are variadic, which Swift cannot call, so each argument type that D360
// uses gets a function of its own here. The type-checking macros of the header only work on literal options.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static inline CURLcode d360_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode d360_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
// libcurl copies strings.
static inline CURLcode d360_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}
// libcurl keeps the pointer: it must outlive the transfer.
static inline CURLcode d360_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}
// The write and header callbacks have one shape.
typedef size_t (*d360_data_callback)(char *bytes, size_t size, size_t count, void *context);
static inline CURLcode d360_set_callback(CURL *easy, CURLoption option, d360_data_callback callback) {
    return curl_easy_setopt(easy, option, callback);
}
static inline CURLcode d360_set_prereq(CURL *easy, curl_prereq_callback callback, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, callback);
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_PREREQDATA, context) : code;
}
static inline CURLcode d360_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLMcode d360_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
// Result of a CURLMSG_DONE message; Swift cannot reach into the message's union safely.
static inline CURLcode d360_message_result(const CURLMsg *message) { return message->data.result; }

// Of a multi handle that is driven by events: libcurl tells which sockets it waits for, and until when.
static inline void d360_multi_set_events(
    CURLM *multi, curl_socket_callback sockets, curl_multi_timer_callback timer, void *context) {
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, sockets);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
}
// Watches a socket for CURL_POLL_IN and CURL_POLL_OUT, or not any more: CURL_POLL_REMOVE. Answers 0, or an errno.
static inline int d360_watch(int epoll, int socket, int what) {
    struct epoll_event event = {
        .events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0), .data.fd = socket};
    if (what == CURL_POLL_REMOVE) {
        // One that is closed is watched no more.
        epoll_ctl(epoll, EPOLL_CTL_DEL, socket, &event);
        return 0;
    }
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) == 0) return 0;
    if (errno != EEXIST) return errno;
    return epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) == 0 ? 0 : errno;
}
// A socket, and what it is ready for (CURL_CSELECT_*).
typedef struct {
    int socket;
    int events;
} d360_ready;
// Waits until sockets are ready or the time is over; answers how many, at most `most`, which is 64 or less.
static inline int d360_wait(int epoll, d360_ready *ready, int most, int milliseconds) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, most > 64 ? 64 : most, milliseconds);
    for (int i = 0; i < count; i++) {
        uint32_t is = events[i].events;
        ready[i].socket = events[i].data.fd;
        ready[i].events = (is & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) | (is & EPOLLOUT ? CURL_CSELECT_OUT : 0)
            | (is & EPOLLERR ? CURL_CSELECT_ERR : 0);
    }
    return count;
}
