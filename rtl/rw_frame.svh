// Where the fields lie in the record that goes with each wire frame from the scheduler to its completion (META_W bits),
// in what must be done to the frame on its way out, and so on; rw_widths.svh has their widths.
/* verilator lint_off UNUSEDPARAM */  // each module uses only some of them
localparam F_LAST   = 0;                                // last frame of its packet: the packet completes with it
localparam F_FETCH  = 1;                                // ... once it is in the frame buffer
localparam F_TSTAMP = 2;                                // the wire's time stamp is asked for
localparam F_REPORT = 3;                                // a completion is asked for
localparam F_STATUS = 4;                                // 4 bits
localparam F_LEN    = 8;                                // 15 bits: bytes on the wire, with an inserted tag, not padded
localparam F_INDEX  = 23;                               // 15 bits: ring index behind the packet
localparam F_FIRST  = 38;                               // first frame of its packet
localparam F_LAUNCH = 39;                               // not before its launch time, which goes to the pacer apart
localparam F_QUEUE  = 40;                               // QW bits

localparam [3:0] STATUS_CLOSED = 4'd15;                 // end of a packet that a reset forgets: neither sent nor reported

localparam E_BEATS  = 0;                                // 12 bits: beats in the frame buffer
localparam E_CUT    = 12;                               // a segment: its header comes from a slot
localparam E_SLOT   = 13;                               // SLOT_W bits
localparam E_OFFSET = 18;                               // 18 bits: payload bytes of the packet before this segment
localparam E_NUMBER = 36;                               // 16 bits: segments before this one, modulo 2^16
localparam E_CSUM   = 52;                               // complete a checksum
localparam E_START  = 53;                               // 8 bits: ... from this byte on
localparam E_FIELD  = 61;                               // 8 bits: ... into the field at this distance from there
localparam E_TAG    = 69;                               // insert a tag
localparam E_TCI    = 70;                               // 16 bits

// what a packet asks for when it is to be cut
localparam R_TYPE    = 0;                               // 3 bits
localparam R_FIXED   = 3;
localparam R_PARTIAL = 4;
localparam R_HDR     = 5;                               // 8 bits: in words of 16 bits, as all three are even
localparam R_L3      = 13;                              // 7 bits
localparam R_L4      = 20;                              // 7 bits
localparam R_TOTAL   = 27;                              // 19 bits: bytes of the whole packet

// what a header slot knows of its header: fields of the packet, and sums of what is the same in each segment
localparam C_FLAGS   = 0;                               // 16 bits: data offset and flags of TCP
localparam C_SEQ     = 16;                              // 32 bits
localparam C_ID      = 48;                              // 16 bits
localparam C_IP_SUM  = 64;                              // 16 bits: IPv4 header but for lengths, id and checksum
localparam C_PSEUDO  = 80;                              // 16 bits: pseudo-header without a length
localparam C_L4_SUM  = 96;                              // 16 bits: the same, and the L4 header but for what changes

// what is to be done to a frame's bytes on its way out, and where they are
localparam P_HDR      = 0;                              // 8 bits: what comes from the header slot, in words of 16 bits
localparam P_L3       = 8;                              // 7 bits: in words
localparam P_L4       = 15;                             // 7 bits
localparam P_EN_LEN   = 22;                             // IPv4: total length, at L3 + 2
localparam P_LEN      = 23;                             // 15 bits
localparam P_EN_ID    = 38;                             // each segment. IPv4: id, IPv6: payload length, at L3 + 4
localparam P_ID       = 39;                             // 16 bits
localparam P_EN_FRAG  = 55;                             // IPv4: flags and offset, at L3 + 6
localparam P_FRAG     = 56;                             // 14 bits
localparam P_EN_IPSUM = 70;                             // IPv4: header checksum, at L3 + 10
localparam P_IPSUM    = 71;                             // 16 bits
localparam P_EN_SEQ   = 87;                             // TCP: sequence, upper half, UDP: length, at L4 + 4
localparam P_SEQ      = 88;                             // 16 bits
localparam P_EN_TCP   = 104;                            // TCP: the lower half, at L4 + 6, and the flags, at L4 + 12
localparam P_SEQ_LOW  = 105;                            // 16 bits
localparam P_FLAGS    = 121;                            // 16 bits
localparam P_EN_FIELD = 137;                            // the checksum, at byte P_AT
localparam P_AT       = 138;                            // 9 bits
localparam P_FIELD    = 147;                            // 16 bits
localparam P_BEATS    = 163;                            // 12 bits: beats in the frame buffer
localparam P_SLOT     = 175;                            // SLOT_W bits
localparam P_TAG      = 180;                            // insert a tag
localparam P_TCI      = 181;                            // 16 bits
localparam P_END      = 197;                            // 15 bits: last byte on the wire, with tag and padding
localparam P_DATA     = 212;                            // 12 bits: beats that hold more than padding, without the tag
localparam P_WIRE     = 224;                            // 15 bits: bytes on the wire, with all that belongs to a frame
localparam P_DROP     = 239;                            // not to be sent, though its bytes are in the frame buffer
/* verilator lint_on UNUSEDPARAM */
