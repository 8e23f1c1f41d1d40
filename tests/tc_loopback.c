/* Stands between tc and the kernel: requests about filters go into a file, lists of filters come out of another.
 * All other requests pass. Loaded with LD_PRELOAD by tests/tc_loopback.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static char reply[1 << 20];
static size_t waiting;

static struct nlmsghdr *append(size_t length, int type, const struct nlmsghdr *request, unsigned pid)
{
    struct nlmsghdr *header = (void *)(reply + waiting);

    memset(header, 0, length);
    header->nlmsg_len = length;
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_MULTI;
    header->nlmsg_seq = request->nlmsg_seq;
    header->nlmsg_pid = pid;
    waiting += length;
    return header;
}

static void list(const struct nlmsghdr *request, unsigned pid)
{
    FILE *in = fopen(getenv("TC_LOOPBACK_IN"), "rb");

    if (in) {
        waiting = fread(reply, 1, sizeof reply - 64, in);
        fclose(in);
    }
    for (size_t at = 0; at < waiting;) {
        struct nlmsghdr *each = (void *)(reply + at);

        each->nlmsg_seq = request->nlmsg_seq;
        each->nlmsg_pid = pid;
        at += NLMSG_ALIGN(each->nlmsg_len);
    }
    append(20, NLMSG_DONE, request, pid);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*real)(int, const struct msghdr *, int);
    const struct nlmsghdr *request = message->msg_iov[0].iov_base;
    struct sockaddr_nl local;
    socklen_t size = sizeof local;
    size_t total = 0;
    FILE *out;

    if (!real)
        real = dlsym(RTLD_NEXT, "sendmsg");
    if (request->nlmsg_type < RTM_NEWTFILTER || request->nlmsg_type > RTM_GETTFILTER)
        return real(fd, message, flags);
    out = fopen(getenv("TC_LOOPBACK_OUT"), "wb");
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        fwrite(message->msg_iov[i].iov_base, 1, message->msg_iov[i].iov_len, out);
        total += message->msg_iov[i].iov_len;
    }
    fclose(out);
    getsockname(fd, (struct sockaddr *)&local, &size);
    waiting = 0;
    if (request->nlmsg_type == RTM_GETTFILTER)
        list(request, local.nl_pid);
    else
        append(36, NLMSG_ERROR, request, local.nl_pid);
    return total;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    static ssize_t (*real)(int, struct msghdr *, int);
    size_t room = message->msg_iov[0].iov_len, got = waiting;

    if (!real)
        real = dlsym(RTLD_NEXT, "recvmsg");
    if (!waiting)
        return real(fd, message, flags);
    memcpy(message->msg_iov[0].iov_base, reply, room < waiting ? room : waiting);
    if (message->msg_name) {
        struct sockaddr_nl from = {.nl_family = AF_NETLINK};

        memcpy(message->msg_name, &from, sizeof from);
        message->msg_namelen = sizeof from;
    }
    message->msg_flags = room < waiting ? MSG_TRUNC : 0;
    if (!(flags & MSG_PEEK))
        waiting = 0;
    return got;
}
