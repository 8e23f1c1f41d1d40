"""What the watch can say: each name of a finding, and what was seen when it is given.

Causes come before what follows from them: that is the order in which findings are told.
"""

MEANINGS = {
    "bql-overcompletion": "more bytes were completed than byte queue limits count in flight",
    "unmap-twice": "a DMA mapping was undone that is none, or no longer",
    "skb-twice": "a packet was freed twice",
    "bad-tail": "a tail, or a count of completions, beyond the ring",
    "ring-overrun": "packets were posted and the tail is where it was: a full ring looks like an empty one",
    "doorbell-missing": "a batch is over, or the queue stopped, and no doorbell has followed its last packets",
    "barrier-missing": "at a doorbell, descriptors before the tail were written and no barrier has made them visible "
    "to the device",
    "doorbell-reordered": "the device has fetched more descriptors than were posted: a tail went backwards",
    "doorbell-lost": "the device has heard fewer doorbells than were rung, or is idle short of the tail it was told",
    "address-truncated": "DMA fault at an address that would be mapped if its upper half were not missing",
    "doorbell-early": "at a doorbell, the descriptor before the tail does not end a packet that is mapped",
    "cause-cleared": "completions are visible, the interrupt is armed, none came, and a register was read in between",
    "interrupt-lost": "the same, and no register was read",
    "not-armed": "completions are visible, and the driver has not armed the interrupt",
    "completion-missed": "the device has reported packets, the driver has had its interrupt or has consumed the "
    "completions, and has not freed the packets",
    "write-back-stalled": "packets are done, and the device does not report them",
    "lost-wakeup": "the queue is stopped by the driver, its ring is empty, and it stays so",
    "busy-not-stopped": "ndo_start_xmit was busy with the queue running: the stack comes again at once, without end",
    "poll-endless": "polls in a row took nothing, and each had the next follow at once: the softirq never ends",
    "error-ignored": "the queue stands in error, and the driver does not reset it",
    "tx-hang": "the queue has work, and no frame has left for a second",
    "completion-early": "the driver was told of a packet's end before its frame began to leave",
    "completion-unknown": "a completion names an index at which no packet ends",
    "use-after-unmap": "DMA fault: the device was sent to memory that is not mapped, or no longer",
    "dma-fault": "DMA fault where there is no memory at all",
    "register-refused": "a register access that the device answered with an error",
    "illegal-offload": "the device refused what an offload descriptor asks for",
    "false-read-error": "the device gave packets up as unreadable, and memory has answered every read",
    "read-error": "the device gave packets up because memory answered with an error",
    "illegal-descriptor": "the device refused another descriptor",
    "too-many-buffers": "a frame that lies in more than 8 buffers ends behind the eighth",
    "underrun": "a frame breaks off in its middle",
    "tso-header": "a segment's header has wrong bytes",
    "ip-id": "a segment's IPv4 id is wrong",
    "tso-vlan": "a segment lacks the tag",
    "stale-mss": "a segment has another size than was asked for",
    "odd-fragment": "the checksum of a packet with a fragment of odd length is wrong",
    "checksum-limit": "a checksum was not made, and the field has what it had",
    "checksum-wrong": "a checksum is wrong",
    "short-frame": "a short frame is padded with something other than zeros",
    "head-of-line": "packets are parked before all others, dequeued while byte queue limits stopped the queue",
    "packets-aborted": "packets were aborted, and no reset was asked for",
    "frame-differs": "a frame is not the one that was given to the driver",
    "frame-unexpected": "a frame was never given to the driver, or left twice",
    "frame-lost": "a frame given to the driver is not on the wire",
    "bql-stuck": "byte queue limits count bytes in flight although the driver holds no packet",
    "skb-lost": "a packet was never freed",
    "mapping-leak": "a DMA mapping was never undone",
}

RANKS = {name: rank for rank, name in enumerate(MEANINGS)}
