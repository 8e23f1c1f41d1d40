// Frame scheduler: strict priority, and turns of the queues of one priority, one wire frame at a time, a segment of a
// packet that is cut as well as a packet that is not; rw_queue_gate knows which queues are to wait for a round, a rate or a
// launch time. A frame is picked only if everything behind has room for it:
// space in the frame buffer, a completion slot, and - so that the frame buffer is no hidden queue - less than
// COMMIT_BOUND wire bytes ahead of it.
// Rate: a frame a cycle. Latency: 2 cycles from summary to job.
`include "rw_check.svh"
`include "rw_widths.svh"
module rw_frame_sched #(
    parameter DATA_W  = 512,                            // width of a beat, bits
    parameter BB      = $clog2(DATA_W / 8),             // bits of an offset in a beat; derived
    parameter QUEUES  = 1,                              // transmit queues
    parameter QW      = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter FRAMES  = 512,                            // frames between pick and completion
    parameter BUF_LOG2 = 10,                            // beats of the frame buffer, power of two
    parameter META_W  = `RW_META_W(QW),
    parameter EDIT_W  = `RW_EDIT_W,
    parameter REQ_W   = `RW_REQ_W,
    parameter SLOT_W  = `RW_SLOT_W                      // bits of a header slot's number
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic                 enable,
    input  logic                 at_fetch,              // frames complete once they are in the frame buffer
    input  logic [31:0]          commit_bound,          // wire bytes; 0: none
    input  logic [QUEUES-1:0]    q_run,                 // queue enabled and not in reset
    input  logic [QUEUES-1:0]    q_resetting,
    input  logic [QUEUES-1:0]    q_clear,
    input  logic [QUEUES*4-1:0]  ring_log2,
    input  logic [QUEUES*3-1:0]  priorities,
    // what the gate says of each queue, and is told
    input  logic [QUEUES-1:0]    q_in_credit,
    input  logic [QUEUES-1:0]    q_opened,
    input  logic [QUEUES-1:0]    q_limited,
    input  logic [QUEUES-1:0]    q_late,
    input  logic [QUEUES-1:0]    q_launch,
    output logic [QUEUES-1:0]    q_begun,
    output logic [QUEUES-1:0]    q_refill,
    output logic                 m_launch_valid,        // a frame that has a launch time goes
    input  logic                 m_launch_ready,
    // summaries
    input  logic [QUEUES-1:0]    sum_some,
    input  logic [QUEUES-1:0]    sum_more,
    output logic [QW-1:0]        sum_queue,
    input  logic [18:0]          sum_len,
    input  logic [6:0]           sum_number,
    input  logic [3:0]           sum_status,
    input  logic                 sum_report,
    input  logic                 sum_tstamp,
    input  logic                 sum_silent,
    input  logic                 sum_skip,
    input  logic [2:0]           sum_type,
    input  logic                 sum_fixed,
    input  logic                 sum_partial,
    input  logic [13:0]          sum_mss,
    input  logic [8:0]           sum_hdr,
    input  logic [7:0]           sum_at,
    input  logic [7:0]           sum_to,
    input  logic                 sum_csum,
    input  logic                 sum_tag,
    input  logic [15:0]          sum_tci,
    input  logic                 sum_drop,
    output logic                 sum_pop,
    // job for the fragment walker
    output logic                 m_job_valid,
    input  logic                 m_job_ready,
    output logic [QW-1:0]        m_job_queue,
    output logic [6:0]           m_job_number,          // descriptors of the packet
    output logic                 m_job_read,            // read what they name, else only take them
    output logic                 m_job_skip,            // the first one is an offload descriptor
    output logic                 m_job_cut,             // take only so much of them as this segment needs
    output logic [14:0]          m_job_bytes,
    output logic                 m_job_last,
    // what the gatherer is to know of the frame
    output logic                 m_shape_valid,
    output logic [BB-1:1]        m_shape_fill,          // word of the first beat where its bytes begin
    output logic [7:0]           m_shape_header,        // words of 16 bits that go to the header slot
    output logic                 m_shape_wanted,        // a checksum is to be made
    output logic [8:0]           m_shape_sum,           // ... from this byte on
    output logic [SLOT_W-1:0]    m_shape_slot,
    // the frame's record
    output logic                 m_meta_valid,
    output logic [META_W-1:0]    m_meta,
    output logic [EDIT_W-1:0]    m_edit,
    // a header slot is taken, for a packet that asks for this
    output logic                 open_valid,
    output logic [SLOT_W-1:0]    open_slot,
    output logic [REQ_W-1:0]     open_req,
    input  logic                 free_valid,
    input  logic [SLOT_W-1:0]    free_slot,
    input  logic                 fail_valid,            // a read of the packet in this slot has failed
    input  logic [QW-1:0]        fail_queue,
    input  logic [SLOT_W-1:0]    fail_slot,
    // what comes back
    input  logic                 wire_release,          // a frame's wire time is over
    input  logic [15:0]          wire_bytes,
    input  logic                 buf_release,           // beats of the frame buffer are free again (egress)
    input  logic [BUF_LOG2:0]    buf_beats,
    input  logic                 kill_release,          // ... because the frame was killed by a failed read
    input  logic [11:0]          kill_beats,
    input  logic                 done_valid,            // a frame has left the pipeline
    input  logic [QW-1:0]        done_queue,
    input  logic                 slot_a_release,        // a frame came to its end without a completion (two places)
    input  logic [QW-1:0]        slot_a_queue,
    input  logic                 slot_b_release,
    input  logic [QW-1:0]        slot_b_queue,
    input  logic                 con_valid,             // software has consumed completions
    input  logic [QW-1:0]        con_queue,
    input  logic [15:0]          con_number,
    input  logic                 event_valid,           // an event of the queue itself takes a completion slot
    input  logic [QW-1:0]        event_queue,
    output logic [QUEUES-1:0]    event_ok,              // there is one for it
    output logic [QUEUES-1:0]    none_in_flight,        // no frame of the queue is between here and its completion
    output logic                 idle,
    output logic                 awake
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    localparam BYTES = DATA_W / 8;
    localparam FW    = $clog2(FRAMES);

    // wire bytes picked and not yet over: less than 2^18, all that FRAMES frames, the buffer and their headers can be
    logic [17:0]       commit_reg;
    logic              commit_ok_reg;                   // less than the bound
    logic [15:0]       over_reg;                        // wire bytes that are over
    logic [18:0]       bound_reg;                       // the bound, less what is charged beside a frame's bytes
    logic              bounded_reg;
    logic [BUF_LOG2:0] free_reg;                        // beats free in the frame buffer
    logic [FW:0]       frames_reg;                      // frames in flight
    logic [14:0]       slots_reg  [0:QUEUES-1];         // completion slots in use or promised
    logic [14:0]       back_reg   [0:QUEUES-1];         // ... of which so many came back a cycle ago
    logic [FW:0]       flying_reg [0:QUEUES-1];
    logic [14:0]       index_reg  [0:QUEUES-1];         // descriptors picked, modulo the largest ring

    // ---- stage 0: choose
    logic              sel_valid_reg;
    logic [QW-1:0]     sel_reg;
    logic [QUEUES-1:0] eligible, waiting;               // to go next if the chosen one goes now, or if it does not
    logic [QUEUES-1:0] slot_free_reg;                   // a completion slot is free for one more packet
    logic [14:2]       most     [0:QUEUES-1];
    logic [14:2]       most_reg [0:QUEUES-1];           // ... of so many fours: three of the last four are for events of no packet
    logic [QUEUES-1:0] may;                             // the queue may send at all
    logic [QUEUES-1:0] q_open, q_close, starved_reg;    // starved: its next packet found no header slot
    logic              known, wants_slot, first, last, closing, free_any, cut_idle;
    logic              grant_valid;
    logic [QW-1:0]     grant;
    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_queue
            assign most[q]      = 13'((15'd1 << ring_log2[q*4 +: 4]) >> 2) - 13'd1;
            assign event_ok[q]  = slots_reg[q] < {most_reg[q], 2'd2};
            // a packet that has begun comes to its end, also when the queue is stopped
            assign may[q]       = q_open[q] ? enable || q_close[q] : enable && q_run[q] && slot_free_reg[q];
            assign waiting[q]   = may[q] && sum_some[q] && !starved_reg[q] && (q_opened[q] || q_close[q]);
            assign eligible[q]  = waiting[q] && (sel_reg != q || ((sum_more[q] || !last) && !q_limited[q]));
            assign none_in_flight[q] = flying_reg[q] == '0 && !q_open[q] && !(sel_valid_reg && sel_reg == q);
        end
    endgenerate
    // who is above whom
    logic [QUEUES-1:0] above_reg [0:QUEUES-1];
    logic [QUEUES-1:0] above     [0:QUEUES-1];
    logic [QUEUES-1:0] settled;                         // what follows from the configuration does
    genvar p;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_above
            for (p = 0; p < QUEUES; p = p + 1) begin : g_other
                assign above[q][p] = priorities[p*3 +: 3] > priorities[q*3 +: 3];
            end
            assign settled[q] = above[q] == above_reg[q] && most[q] == most_reg[q];
            always_ff @(posedge clk) above_reg[q] <= above[q];
        end
    endgenerate
    logic [QUEUES-1:0] top_eligible, top_waiting;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_top
            assign top_eligible[q] = eligible[q] && (eligible & above_reg[q]) == '0 && funded[q];
            assign top_waiting[q]  = waiting[q] && (waiting & above_reg[q]) == '0 && funded[q];
            assign q_refill[q]     = waiting != '0 && top_waiting == '0 && (waiting & above_reg[q]) == '0;
        end
    endgenerate
    wire [QUEUES-1:0] funded = q_in_credit | q_close;
    // the first after the queue served last; a chosen queue that has to wait may lose its place to one that came later
    // but has its turn before, so both cases are worked out: the chosen one goes now, or it does not
    function automatic [QW:0] next_after(input [QUEUES-1:0] request, input [QW-1:0] served);
        logic [QUEUES-1:0] behind;
        integer n;
        behind     = request & ({QUEUES{1'b1}} << served) & ~({{(QUEUES-1){1'b0}}, 1'b1} << served);
        next_after = {request != '0, {QW{1'b0}}};
        for (n = QUEUES - 1; n >= 0; n = n - 1)
            if (behind != '0 ? behind[n] : request[n]) next_after[QW-1:0] = n[QW-1:0];
    endfunction
    logic [QW-1:0] last_reg;                            // served last
    wire [QW:0] if_it_goes = next_after(top_eligible, sel_reg);
    wire [QW:0] if_not     = next_after(top_waiting, last_reg);
    wire        go;
    assign {grant_valid, grant} = go ? if_it_goes : if_not;

    // ---- stage 1: look at its head, and let the next frame of it go when there is room
    wire        begun     = q_open[sel_reg];
    wire        allowed   = (q_opened[sel_reg] && q_in_credit[sel_reg]) || q_close[sel_reg];
    wire        launches  = q_launch[sel_reg] && !begun;
    wire        late      = launches && sum_drop && q_late[sel_reg];
    wire        condemned = sum_status != STATUS_OK[3:0] || late;
    wire        cut       = sum_type != SEG_NONE && !condemned;
    logic [14:0] len, bytes, stored;
    logic [17:0] offset;
    logic [15:0] number;
    logic [SLOT_W-1:0] slot;
    rw_segmenter #(.DATA_W(DATA_W), .QUEUES(QUEUES), .SLOT_W(SLOT_W)) segmenter (
        .clk(clk), .rst(rst), .q_resetting(q_resetting),
        .s_valid(sel_valid_reg && may[sel_reg] && allowed), .s_queue(sel_reg), .s_cut(cut), .s_type(sum_type != SEG_NONE),
        .s_len(sum_len), .s_hdr(sum_hdr), .s_mss(sum_mss), .s_tag(sum_tag), .m_ready(known),
        .m_wants_slot(wants_slot), .m_first(first),
        .m_last(last), .m_close(closing), .m_len(len), .m_read(bytes), .m_stored(stored), .m_offset(offset),
        .m_number(number), .m_slot(slot), .go(go), .q_open(q_open), .q_close(q_close),
        .open_valid(open_valid), .open_slot(open_slot), .free_valid(free_valid), .free_slot(free_slot),
        .free_any(free_any), .fail_valid(fail_valid), .fail_queue(fail_queue), .fail_slot(fail_slot), .idle(cut_idle)
    );
    assign open_req = {sum_len, sum_to[7:1], sum_at[7:1], sum_hdr[8:1], sum_partial, sum_fixed, sum_type};

    wire        bare   = condemned || closing;          // a record without bytes
    wire [14:0] beats  = (stored + BYTES[14:0] - 15'd1) >> BB;
    // in bytes: whole beats are enough for what they hold
    wire buf_ok    = {{(32-BUF_LOG2-BB-1){1'b0}}, free_reg, {BB{1'b0}}} >= {17'd0, stored};
    wire room      = frames_reg < FRAMES[FW:0] && (bare || (commit_ok_reg && buf_ok));
    wire timed     = q_launch[sel_reg] && first && !bare;
    assign go      = sel_valid_reg && may[sel_reg] && allowed && known && room && m_job_ready && (!timed || m_launch_ready);
    assign m_launch_valid = go && timed;
    assign q_begun = q_open;
    assign sum_queue = sel_reg;
    assign sum_pop   = go && last;

    wire [14:0] index_next = index_reg[sel_reg] + {8'd0, sum_number};
    wire [14:0] index_mask = ~(15'h7fff << ring_log2[sel_reg*4 +: 4]) | 15'h3f;  // no ring is smaller
    wire [3:0]  status     = !closing ? (late ? STATUS_LATE[3:0] : sum_status) : q_resetting[sel_reg] ? STATUS_CLOSED : STATUS_READ[3:0];
    wire [BB-1:1] fill     = (cut && !first) ? sum_hdr[BB-1:1] : '0;
    assign m_job_valid  = go;
    assign m_job_queue  = sel_reg;
    assign m_job_number = sum_number;
    assign m_job_read   = !bare;
    assign m_job_skip   = sum_skip;
    assign m_job_cut    = cut;
    assign m_job_bytes  = bytes;
    assign m_job_last   = last;
    assign m_shape_valid  = go && !bare;
    assign m_shape_fill   = fill;
    assign m_shape_header = (cut && first) ? sum_hdr[8:1] : 8'd0;
    assign m_shape_wanted = cut || sum_csum;
    assign m_shape_sum    = !cut ? {1'b0, sum_at} : first ? sum_hdr : {{(9-BB){1'b0}}, fill, 1'b0};
    assign m_shape_slot   = slot;
    assign m_meta_valid = go && !sum_silent;
    // a record that only ends a packet has no length: nothing was charged for it
    assign m_meta = {sel_reg, timed, first, index_next & index_mask, closing ? 15'd0 : len, status, sum_report, sum_tstamp,
                     at_fetch, last};
    assign m_edit = {sum_tci, sum_tag, sum_to, sum_at, sum_csum, number, offset, slot, cut, bare ? 12'd0 : beats[11:0]};

    wire [15:0] killed = {4'd0, kill_beats};
    wire        unused = &{1'b0, con_number[15], killed[15:BUF_LOG2+1], beats[14:12]};  // a frame is shorter than the buffer
    wire        fly = m_meta_valid;
    // with and without the frame that may go, so that nothing waits for whether it does
    logic [14:0]       slots_now [0:QUEUES-1];
    logic [QUEUES-1:0] slot_free;
    logic [QUEUES-1:0] promises, returning;             // a slot is promised; some are coming back
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_slots
            assign slots_now[q] = slots_reg[q] + {14'd0, event_valid && event_queue == q} - back_reg[q];
            assign promises[q]  = fly && first && sel_reg == q;
            assign returning[q] = back_reg[q] != 15'd0;
            assign slot_free[q] = slots_now[q] < {most_reg[q], 2'd0};
        end
    endgenerate
    wire        spends = go && !bare;
    wire [17:0] commit_left = commit_reg - {2'd0, over_reg};
    wire [17:0] with_others = commit_left + 18'd24;     // preamble 8, FCS 4, inter-frame gap 12
    wire [17:0] commit_then = (len < 15'd60) ? with_others + 18'd60 : with_others + {3'd0, len};
    // 2^18 and more bounds nothing: so much is never ahead
    wire        bounded     = commit_bound != 32'd0 && commit_bound[31:18] == '0;
    wire [18:0] bound       = {1'b0, commit_bound[17:0]} - 19'd24;
    wire        ok_left     = !bounded || commit_left < commit_bound[17:0];
    // what the frame may be long for another to follow it at once; less what is over in this cycle
    wire signed [18:0] slack = bound_reg - {1'b0, commit_reg};
    wire [BUF_LOG2:0] free_now  = free_reg + (buf_release  ? buf_beats          : {(BUF_LOG2+1){1'b0}})
                                           + (kill_release ? killed[BUF_LOG2:0] : {(BUF_LOG2+1){1'b0}});
    wire [BUF_LOG2:0] free_then = free_now - beats[BUF_LOG2:0];

    // gated by the wire's time or by software, the scheduler has nothing to do
    assign idle = !go && q_refill == '0 && over_reg == 16'd0 && returning == '0 && commit_ok_reg == ok_left && cut_idle
               && grant_valid == sel_valid_reg && (!grant_valid || grant == sel_reg);
    assign awake = !idle || wants_slot || (free_any && starved_reg != '0)
        || wire_release || buf_release || kill_release || done_valid || slot_a_release || slot_b_release || con_valid
        || event_valid || free_valid || fail_valid || (q_open & q_resetting & ~q_close) != '0 || q_clear != '0
        || slot_free != slot_free_reg || bounded != bounded_reg || bound != bound_reg || !(&settled);

    integer k;
    always_ff @(posedge clk) begin
        sel_valid_reg <= grant_valid;
        sel_reg       <= grant;
        if (go) last_reg <= sel_reg;
        if (sum_pop) index_reg[sel_reg] <= index_next;
        if (wants_slot) starved_reg[sel_reg] <= 1'b1;
        if (free_any)   starved_reg <= '0;
        over_reg      <= wire_release ? wire_bytes : 16'd0;
        commit_reg    <= spends ? commit_then : commit_left;
        bound_reg     <= bound;
        bounded_reg   <= bounded;
        commit_ok_reg <= spends ? !bounded_reg || (slack > 19'sd60 && $signed({4'd0, len}) < slack) : ok_left;
        free_reg      <= spends ? free_then : free_now;
        frames_reg <= frames_reg + {{FW{1'b0}}, fly} - {{FW{1'b0}}, done_valid};
        for (k = 0; k < QUEUES; k = k + 1) begin
            flying_reg[k] <= flying_reg[k] + {{FW{1'b0}}, fly && sel_reg == k[QW-1:0]}
                                           - {{FW{1'b0}}, done_valid && done_queue == k[QW-1:0]};
            most_reg[k]   <= most[k];
            back_reg[k]   <= {14'd0, slot_a_release && slot_a_queue == k[QW-1:0]}
                           + {14'd0, slot_b_release && slot_b_queue == k[QW-1:0]}
                           + ((con_valid && con_queue == k[QW-1:0]) ? con_number[14:0] : 15'd0);
            slots_reg[k]  <= promises[k] ? slots_now[k] + 15'd1 : slots_now[k];
            slot_free_reg[k] <= promises[k] ? slots_now[k] + 15'd1 < {most_reg[k], 2'd0} : slot_free[k];
            if (rst || q_clear[k]) begin
                slots_reg[k] <= '0;
                back_reg[k]  <= '0;
                slot_free_reg[k] <= 1'b0;
                index_reg[k] <= '0;
            end
        end
        if (rst) begin
            sel_valid_reg <= 1'b0;
            sel_reg       <= '0;
            last_reg      <= '0;
            starved_reg   <= '0;
            commit_reg    <= '0;
            commit_ok_reg <= 1'b0;
            over_reg      <= '0;
            free_reg      <= {1'b1, {BUF_LOG2{1'b0}}};
            frames_reg    <= '0;
            for (k = 0; k < QUEUES; k = k + 1) flying_reg[k] <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(frame_buffer_is_never_overbooked, free_reg <= {1'b1, {BUF_LOG2{1'b0}}})
        `RW_CHECK(frames_in_flight_stay_bounded, frames_reg <= FRAMES[FW:0])
        `RW_CHECK(commitment_never_goes_negative, {2'd0, over_reg} <= commit_reg)
    end
endmodule
