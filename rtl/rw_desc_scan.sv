// Descriptor scanner: reads each descriptor once as it arrives, checks it, and sums a packet up when its last descriptor
// (EOP) is there. A packet is known to the scheduler only as such a summary, so a half-posted one never is, and an
// illegal one is condemned before any payload is read.
// Rate: a descriptor a cycle. Latency: 4 cycles from arrival to summary.
`include "rw_check.svh"
module rw_desc_scan #(
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter MAX_DESC = 64,                            // descriptors a packet may have, at most 64
    parameter DEPTH  = 16,                              // summaries kept a queue; a power of two
    parameter HELD   = 512                              // descriptors of a queue that the pool may hold; a power of two
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic [QUEUES-1:0]    q_run,                 // queue not in reset
    input  logic [QUEUES-1:0]    q_clear,
    input  logic [QUEUES*16-1:0] arrived,               // ring counter: descriptors in the pool up to here
    input  logic [QUEUES-1:0]    fetch_failed,          // the one at `arrived` could not be read
    // pool
    output logic                 rd_en,
    output logic [QW-1:0]        rd_queue,
    output logic [8:0]           rd_index,
    input  logic [127:0]         rd_data,               // a cycle later
    // summaries: the oldest of a queue
    output logic [QUEUES-1:0]    sum_some,              // at least one
    output logic [QUEUES-1:0]    sum_more,              // at least two
    input  logic [QW-1:0]        sum_queue,
    output logic [18:0]          sum_len,               // packet length, bytes
    output logic [6:0]           sum_number,            // descriptors
    output logic [3:0]           sum_status,            // 0, or why the packet is condemned
    output logic                 sum_report,            // a completion is asked for
    output logic                 sum_tstamp,            // ... with the wire's time stamp
    output logic                 sum_silent,            // part of a condemned packet whose end is still to come
    output logic                 sum_skip,              // the first descriptor is an offload descriptor
    output logic [2:0]           sum_type,              // SEG_*: how the packet is to be cut
    output logic                 sum_fixed,             // ... with one IPv4 id
    output logic                 sum_partial,           // ... and checksums left at the pseudo-header sum
    output logic [13:0]          sum_mss,               // bytes
    output logic [8:0]           sum_hdr,               // bytes
    output logic [7:0]           sum_at,                // L3, or CSUM_START
    output logic [7:0]           sum_to,                // L4, or CSUM_OFFSET
    output logic                 sum_csum,              // a checksum is to be completed
    output logic                 sum_tag,               // a tag is to be inserted
    output logic [15:0]          sum_tci,
    output logic                 sum_drop,              // not to be sent after its launch time
    input  logic                 sum_pop,
    output logic [QUEUES-1:0]    head_launch,           // of each queue's oldest: it has a launch time
    output logic [QUEUES*64-1:0] head_time,             // ... 48.16 ns
    output logic                 idle,
    output logic                 awake
);
`include "ringwire_regs.svh"
    localparam DW = $clog2(DEPTH);
    localparam RW = 3 + 2 + 14 + 9 + 8 + 8;             // an offload descriptor's request
    localparam AW = 1 + 8 + 8 + 1 + 16;                 // what the first data descriptor asks for
    localparam TW = 64 + 2;                             // launch time, whether there is one, and DROP_LATE
    localparam SW = TW + 19 + 7 + 4 + 4 + (RW - 16) + AW;
    localparam [15:0] LEGAL_FLAGS = DESC_FLAG_EOP | DESC_FLAG_REPORT | DESC_FLAG_TSTAMP | DESC_FLAG_CSUM
                                  | DESC_FLAG_VLAN | DESC_FLAG_OFFLOAD;
    localparam [15:0] ASK_FLAGS = DESC_FLAG_CSUM | DESC_FLAG_VLAN;

    // ---- stage 0: which queue; it keeps its turn for up to 8 descriptors
    localparam HW = $clog2(HELD) + 1;                   // bits that tell how many of a queue are there
    localparam NW = (HW > 9) ? HW : 9;                  // ... and which is next
    logic [NW-1:0] next_reg [0:QUEUES-1];               // ring counter: next descriptor to scan
    wire           unused = &{1'b0, arrived};           // its upper bits tell nothing more
    logic [DW:0]   held_reg [0:QUEUES-1];               // summaries held or on their way
    wire  [DW:0]   count [0:QUEUES-1];                  // summaries held
    logic [QUEUES-1:0] told_reg;                        // the failed read has been reported
    logic [QUEUES-1:0] ready, ready_more;
    logic          turn_valid_reg;
    logic [QW-1:0] turn_reg;
    logic [2:0]    turn_count_reg;
    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_queue
            wire [HW-1:0] left = arrived[q*16 +: HW] - next_reg[q][HW-1:0];
            wire room = q_run[q] && held_reg[q] <= DEPTH[DW:0];
            assign ready[q]      = room && (left != '0 || (fetch_failed[q] && !told_reg[q]));
            assign ready_more[q] = room && left[HW-1:1] != '0;
            assign sum_more[q]   = count[q] > 1;
        end
    endgenerate
    wire [QUEUES-1:0] this_turn = {{(QUEUES-1){1'b0}}, turn_valid_reg} << turn_reg;
    wire stay = turn_valid_reg && ready_more[turn_reg] && turn_count_reg != 3'd7;
    logic grant_valid;
    logic [QW-1:0] grant;
    // the queue whose turn it is may go on only if it has more than the one being read now
    wire [QUEUES-1:0] others = (ready & ~this_turn) | (ready_more & this_turn);
    rw_arbiter #(.N(QUEUES)) choose (
        .clk(clk), .rst(rst), .request(others), .grant_valid(grant_valid), .grant(grant), .accept(!stay)
    );

    // ---- stage 1: read it (or take note of the failed read)
    wire act     = turn_valid_reg && ready[turn_reg];
    wire is_fail = next_reg[turn_reg][HW-1:0] == arrived[turn_reg*16 +: HW];
    assign rd_en    = act && !is_fail;
    assign rd_queue = turn_reg;
    assign rd_index = next_reg[turn_reg][8:0];

    // ---- stage 2: it is here
    logic          s1_valid_reg, s1_fail_reg, s2_valid_reg, s2_fail_reg;
    logic [QW-1:0] s1_queue_reg, s2_queue_reg;
    logic [127:0]  data_in_reg;
    logic [8:0]    ip_len;                              // lengths below 0 are seen as 256 and more
    logic [9:0]    l4_len;
    logic [9:0]    end_now;                             // byte behind the checksum field that this one asks for
    logic          launch_some;                         // there is a launch time, if this is an offload descriptor
    always_ff @(posedge clk) begin
        data_in_reg <= rd_data;
        launch_some <= rd_data[OFFLOAD_LAUNCH_LSB +: OFFLOAD_LAUNCH_W] != '0;
        ip_len <= {1'b0, rd_data[OFFLOAD_L4_LSB +: OFFLOAD_L4_W]} - {1'b0, rd_data[OFFLOAD_L3_LSB +: OFFLOAD_L3_W]};
        end_now <= {2'd0, rd_data[DESC_CSUM_START_LSB +: 8]} + {2'd0, rd_data[DESC_CSUM_OFFSET_LSB +: 8]} + 10'd2;
        l4_len <= {1'b0, rd_data[OFFLOAD_HDR_LEN_LSB +: OFFLOAD_HDR_LEN_W]} - {2'd0, rd_data[OFFLOAD_L4_LSB +: OFFLOAD_L4_W]};
    end

    // ---- stage 3: check it
    logic [18:0]   len_reg    [0:QUEUES-1];             // of the packet so far
    logic [6:0]    number_reg [0:QUEUES-1];
    logic [2:0]    status_reg [0:QUEUES-1];             // what is told before the last descriptor is below 8
    logic [1:0]    wish_reg   [0:QUEUES-1];             // {tstamp, report}
    logic          skip_reg   [0:QUEUES-1];             // there was an offload descriptor
    logic          data_reg   [0:QUEUES-1];             // there was a data descriptor
    logic [RW-1:0] req_mem    [0:QUEUES-1];
    logic [11:0]   max_mem    [0:QUEUES-1];             // the longest packet that this request may have
    logic [TW-1:0] time_mem   [0:QUEUES-1];
    logic [AW-1:0] ask_mem    [0:QUEUES-1];
    logic [9:0]    end_mem    [0:QUEUES-1];             // ... and the byte behind its checksum field

    wire [15:0] d_len   = data_in_reg[DESC_LEN_LSB +: DESC_LEN_W];
    wire [15:0] d_flags = data_in_reg[DESC_FLAGS_LSB +: DESC_FLAGS_W];
    wire        eop     = (d_flags & DESC_FLAG_EOP) != 16'd0;
    wire        is_off  = (d_flags & DESC_FLAG_OFFLOAD) != 16'd0;

    // the request of an offload descriptor, and whether it can be
    wire [2:0]  o_type = data_in_reg[OFFLOAD_TYPE_LSB +: OFFLOAD_TYPE_W];
    wire [8:0]  o_hdr  = data_in_reg[OFFLOAD_HDR_LEN_LSB +: OFFLOAD_HDR_LEN_W];
    wire [7:0]  o_l3   = data_in_reg[OFFLOAD_L3_LSB +: OFFLOAD_L3_W];
    wire [7:0]  o_l4   = data_in_reg[OFFLOAD_L4_LSB +: OFFLOAD_L4_W];
    wire        o_six  = o_type == SEG_TCP6 || o_type == SEG_UDP6;
    wire        o_tcp  = o_type == SEG_TCP4 || o_type == SEG_TCP6;
    wire        o_udp  = o_type == SEG_UDP4 || o_type == SEG_UDP6;
    wire        ip_ok  = !o_l3[0] && o_l3 >= 8'd14 && ip_len[1:0] == 2'd0
                      && (o_six ? ip_len >= 9'd40 && !ip_len[8] : ip_len >= 9'd20 && ip_len <= 9'd60);
    wire        l4_ok  = o_tcp ? l4_len >= 10'd20 && l4_len <= 10'd60 && l4_len[1:0] == 2'd0
                       : o_udp ? l4_len == 10'd8 : l4_len == 10'd0 && d_len[2:0] == 3'd0;
    wire        mss_ok = d_len != 16'd0 && {16'd0, d_len} <= MAX_MSS;
    wire        o_zero = !data_in_reg[OFFLOAD_RESERVED_LSB] && (launch_some || !data_in_reg[OFFLOAD_DROP_LATE_LSB]);
    wire        o_none = o_type == SEG_NONE && d_len == 16'd0 && o_hdr == '0 && o_l3 == '0 && o_l4 == '0
                      && !data_in_reg[OFFLOAD_ID_FIXED_LSB] && !data_in_reg[OFFLOAD_CSUM_PARTIAL_LSB];
    wire        o_ok   = o_zero && (o_none || (o_type != SEG_NONE && o_type <= SEG_UFO4 && mss_ok && ip_ok && l4_ok
                                               && {23'd0, o_hdr} <= MAX_HEADER));

    // the packet, with this descriptor
    wire [RW-1:0] req_now = {o_type, data_in_reg[OFFLOAD_ID_FIXED_LSB], data_in_reg[OFFLOAD_CSUM_PARTIAL_LSB], d_len[13:0],
                             o_hdr, o_l3, o_l4};
    wire [TW-1:0] time_now = {data_in_reg[OFFLOAD_LAUNCH_LSB +: OFFLOAD_LAUNCH_W], launch_some,
                              data_in_reg[OFFLOAD_DROP_LATE_LSB]};
    wire [AW-1:0] ask_now = {(d_flags & DESC_FLAG_CSUM) != 16'd0, data_in_reg[DESC_CSUM_START_LSB +: 8],
                             data_in_reg[DESC_CSUM_OFFSET_LSB +: 8], (d_flags & DESC_FLAG_VLAN) != 16'd0,
                             data_in_reg[DESC_VLAN_TCI_LSB +: 16]};
    wire          first_data = !is_off && !data_reg[s2_queue_reg];
    wire [RW-1:0] req = skip_reg[s2_queue_reg] ? req_mem[s2_queue_reg] : {RW{1'b0}};
    wire [TW-1:0] launch = skip_reg[s2_queue_reg] ? time_mem[s2_queue_reg] : {TW{1'b0}};
    wire [AW-1:0] ask = first_data ? ask_now : ask_mem[s2_queue_reg];
    wire [9:0]    csum_end = first_data ? end_now : end_mem[s2_queue_reg];
    wire          cut = req[RW-1 -: 3] != SEG_NONE;
    wire [8:0]    hdr = req[16 +: 9];
    wire [7:0]    csum_start = ask[25 +: 8];
    wire [7:0]    csum_to    = ask[17 +: 8];
    wire [18:0] len_sum = len_reg[s2_queue_reg] + (is_off ? 19'd0 : {3'd0, d_len});
    // the longest packet is MAX_FRAME, or MAX_DATAGRAM or MAX_PAYLOAD and a header: bits 18, 16, 14 and 8:0 tell them apart
    function automatic [18:0] length_of(input [11:0] bits);
        length_of = {bits[11], 1'b0, bits[10], 1'b0, bits[9], 5'd0, bits[8:0]};
    endfunction
    wire [11:0] o_bits  = o_type == SEG_NONE ? {3'b001, MAX_FRAME[8:0]}
                        : o_type == SEG_UFO4 ? {3'b010, o_hdr - 9'd1} : {3'b100, o_hdr};
    wire [18:0] len_max = skip_reg[s2_queue_reg] ? length_of(max_mem[s2_queue_reg]) : MAX_FRAME[18:0];
    wire [6:0]  number  = number_reg[s2_queue_reg] + 7'd1;
    wire [1:0]  wish    = wish_reg[s2_queue_reg]
                        | {(d_flags & DESC_FLAG_TSTAMP) != 16'd0, (d_flags & DESC_FLAG_REPORT) != 16'd0};
    wire        overfull = !eop && number == MAX_DESC[6:0];
    wire        bad_flags = (d_flags & ~LEGAL_FLAGS) != 16'd0
                         || (is_off && (number_reg[s2_queue_reg] != 7'd0 || eop))
                         || (!first_data && (d_flags & ASK_FLAGS) != 16'd0)
                         || (first_data && cut && ask_now[AW-1]);
    logic [3:0] verdict;                                // the first error of the packet stays
    always @* begin
        verdict = {1'b0, status_reg[s2_queue_reg]};
        if (verdict == STATUS_OK[3:0]) begin
            if (bad_flags)                                  verdict = STATUS_BAD_FLAGS[3:0];
            else if (is_off && !o_ok)                       verdict = STATUS_BAD_OFFLOAD[3:0];
            else if (!is_off && (d_len == 16'd0 || {16'd0, d_len} > MAX_BUFFER)) verdict = STATUS_BAD_LENGTH[3:0];
            else if (len_sum > len_max)                     verdict = STATUS_TOO_LONG[3:0];
            else if (overfull)                              verdict = STATUS_TOO_MANY_DESC[3:0];
            else if (eop && ask[AW-1] && len_sum < {9'd0, csum_end}) verdict = STATUS_BAD_CSUM[3:0];
            else if (eop && ((cut && len_sum <= {10'd0, hdr}) || (ask[16] && len_sum < 19'd14)))
                verdict = STATUS_BAD_OFFLOAD[3:0];
        end
    end

    // what is not sent waits for no launch
    wire launched = launch[1] && verdict == STATUS_OK[3:0];
    wire push = s2_valid_reg && (eop || overfull || s2_fail_reg);
    wire [SW-1:0] summary = s2_fail_reg
        ? {{TW{1'b0}}, 19'd0, number_reg[s2_queue_reg], STATUS_DESC_READ[3:0], 4'b0001, {(RW-16+AW){1'b0}}}
        : {launch[TW-1:2], launched, launch[0], len_sum, number, verdict, overfull, skip_reg[s2_queue_reg], wish,
           req[RW-1:16], ask[AW-1], cut ? req[15:0] : {csum_start, csum_to}, ask[16:0]};

    // ---- summaries
    wire [QUEUES*SW-1:0] heads;                         // the oldest of each queue
    wire [QUEUES-1:0]    sum_room;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_summaries
            rw_fifo #(.W(SW), .DEPTH(DEPTH)) summaries (
                .clk(clk), .rst(rst || q_clear[q]), .count(count[q]),
                .s_valid(push && s2_queue_reg == q), .s_ready(sum_room[q]), .s_data(summary),
                .m_valid(sum_some[q]), .m_ready(sum_pop && sum_queue == q), .m_data(heads[q*SW +: SW])
            );
        end
    endgenerate
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_launch
            assign {head_time[q*64 +: 64], head_launch[q]} = heads[(q + 1)*SW - 1 -: 65];
        end
    endgenerate
    assign {sum_drop, sum_len, sum_number, sum_status, sum_silent, sum_skip, sum_tstamp, sum_report, sum_type, sum_fixed,
            sum_partial, sum_mss, sum_hdr, sum_csum, sum_at, sum_to, sum_tag, sum_tci} = heads[sum_queue*SW +: SW - 65];

    assign idle = !s1_valid_reg && !s2_valid_reg && !turn_valid_reg && ready == '0;
    assign awake = !idle || sum_pop || q_clear != '0;

    integer k;
    always_ff @(posedge clk) begin
        turn_valid_reg <= stay || grant_valid;
        turn_count_reg <= stay ? turn_count_reg + 3'd1 : 3'd0;
        if (!stay) turn_reg <= grant;

        s1_valid_reg <= act;
        s1_fail_reg  <= act && is_fail;
        s1_queue_reg <= turn_reg;
        s2_valid_reg <= s1_valid_reg;
        s2_fail_reg  <= s1_fail_reg;
        s2_queue_reg <= s1_queue_reg;
        if (act && !is_fail) next_reg[turn_reg] <= next_reg[turn_reg] + 1'b1;
        if (act && is_fail)  told_reg[turn_reg] <= 1'b1;

        if (s2_valid_reg) begin
            if (push) begin
                len_reg[s2_queue_reg]    <= '0;
                number_reg[s2_queue_reg] <= '0;
                wish_reg[s2_queue_reg]   <= '0;
                skip_reg[s2_queue_reg]   <= 1'b0;
                data_reg[s2_queue_reg]   <= 1'b0;
                // beyond MAX_DESC descriptors the packet stays condemned until its EOP
                status_reg[s2_queue_reg] <= (overfull && !s2_fail_reg) ? verdict[2:0] : STATUS_OK[2:0];
            end else begin
                // a length that has passed every limit stays there, so that the sum can't wrap
                len_reg[s2_queue_reg]    <= (len_sum > len_max) ? 19'h60000 : len_sum;
                skip_reg[s2_queue_reg]   <= skip_reg[s2_queue_reg] || is_off;
                data_reg[s2_queue_reg]   <= data_reg[s2_queue_reg] || !is_off;
                if (is_off)     req_mem[s2_queue_reg] <= req_now;
                if (is_off)     max_mem[s2_queue_reg] <= o_bits;
                if (is_off)     time_mem[s2_queue_reg] <= time_now;
                if (first_data) ask_mem[s2_queue_reg] <= ask_now;
                if (first_data) end_mem[s2_queue_reg] <= end_now;
                number_reg[s2_queue_reg] <= number;
                wish_reg[s2_queue_reg]   <= wish;
                status_reg[s2_queue_reg] <= verdict[2:0];
            end
        end

        for (k = 0; k < QUEUES; k = k + 1) begin
            // each descriptor being scanned may become a summary
            held_reg[k]  <= count[k] + {{DW{1'b0}}, push && s2_queue_reg == k[QW-1:0]}
                                         - {{DW{1'b0}}, sum_pop && sum_queue == k[QW-1:0]}
                                         + {{DW{1'b0}}, act && turn_reg == k[QW-1:0]}
                                         + {{DW{1'b0}}, s1_valid_reg && s1_queue_reg == k[QW-1:0]};
            if (rst || q_clear[k]) begin
                next_reg[k]   <= '0;
                held_reg[k]   <= '0;
                told_reg[k]   <= 1'b0;
                len_reg[k]    <= '0;
                number_reg[k] <= '0;
                status_reg[k] <= '0;
                wish_reg[k]   <= '0;
                skip_reg[k]   <= 1'b0;
                data_reg[k]   <= 1'b0;
            end
        end
        if (rst) begin
            turn_valid_reg <= 1'b0;
            turn_reg       <= '0;
            turn_count_reg <= '0;
            s1_valid_reg   <= 1'b0;
            s1_fail_reg    <= 1'b0;
            s1_queue_reg   <= '0;
            s2_valid_reg   <= 1'b0;
            s2_fail_reg    <= 1'b0;
            s2_queue_reg   <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(longest_packet_is_known, !s2_valid_reg || s2_fail_reg || !is_off || !o_ok || length_of(o_bits)
                  == (o_type == SEG_NONE ? MAX_FRAME[18:0]
                      : {10'd0, o_hdr} + (o_type == SEG_UFO4 ? MAX_DATAGRAM[18:0] : MAX_PAYLOAD[18:0])))
        `RW_CHECK(what_stays_is_told_in_three_bits, !s2_valid_reg || s2_fail_reg || push || !verdict[3])
        `RW_CHECK(summaries_never_overflow, !push || sum_room[s2_queue_reg])
        `RW_CHECK(summary_is_popped_only_where_one_is, !sum_pop || sum_some[sum_queue])
    end
endmodule
