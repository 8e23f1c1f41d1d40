// Frame scheduler: round robin over queues, one wire frame at a time. A frame is picked only if everything behind has
// room for it: space in the frame buffer, a completion slot, and - so that the frame buffer is no hidden queue - less
// than COMMIT_BOUND wire bytes ahead of it.
// Rate: a frame a cycle. Latency: 2 cycles from summary to job.
`include "rw_check.svh"
module rw_frame_sched #(
    parameter DATA_W  = 512,                            // width of a beat, bits
    parameter QUEUES  = 1,                              // transmit queues
    parameter QW      = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter FRAMES  = 512,                            // frames between pick and completion
    parameter BUF_LOG2 = 10,                            // beats of the frame buffer, power of two
    parameter META_W  = QW + 39                         // frame record; derived
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic                 enable,
    input  logic                 at_fetch,              // frames complete once they are in the frame buffer
    input  logic [31:0]          commit_bound,          // wire bytes; 0: none
    input  logic [QUEUES-1:0]    q_run,                 // queue enabled and not in reset
    input  logic [QUEUES-1:0]    q_clear,
    input  logic [QUEUES*4-1:0]  ring_log2,
    // summaries
    input  logic [QUEUES-1:0]    sum_some,
    input  logic [QUEUES-1:0]    sum_more,
    output logic [QW-1:0]        sum_queue,
    input  logic [14:0]          sum_len,
    input  logic [6:0]           sum_number,
    input  logic [3:0]           sum_status,
    input  logic                 sum_report,
    input  logic                 sum_tstamp,
    input  logic                 sum_silent,
    output logic                 sum_pop,
    // job for the fragment walker: descriptors to take, whether to read what they name, and the frame's record
    output logic                 m_job_valid,
    input  logic                 m_job_ready,
    output logic [QW-1:0]        m_job_queue,
    output logic [6:0]           m_job_number,
    output logic                 m_job_read,
    output logic                 m_meta_valid,
    output logic [META_W-1:0]    m_meta,                // {queue, index, len, status, report, tstamp, at_fetch, 0}
    // what comes back
    input  logic                 wire_release,          // a frame's wire time is over
    input  logic [15:0]          wire_bytes,
    input  logic                 buf_release,           // beats of the frame buffer are free again (egress)
    input  logic [BUF_LOG2:0]    buf_beats,
    input  logic                 kill_release,          // ... because the frame was killed by a failed read
    input  logic [14:0]          kill_len,
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
    output logic                 idle
);
    localparam BYTES = DATA_W / 8;
    localparam BB    = $clog2(BYTES);
    localparam FW    = $clog2(FRAMES);

    logic [31:0]       commit_reg;                      // wire bytes picked and not yet over
    logic [BUF_LOG2:0] free_reg;                        // beats free in the frame buffer
    logic [FW:0]       frames_reg;                      // frames in flight
    logic [16:0]       slots_reg  [0:QUEUES-1];         // completion slots in use or promised
    logic [FW:0]       flying_reg [0:QUEUES-1];
    logic [15:0]       index_reg  [0:QUEUES-1];         // ring counter: descriptors picked

    // ---- stage 0: choose
    logic              sel_valid_reg;
    logic [QW-1:0]     sel_reg;
    logic [QUEUES-1:0] eligible, waiting, slot_free;     // to go next if the chosen one goes now, or if it does not
    logic              grant_valid;
    logic [QW-1:0]     grant;
    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_queue
            // the last four slots of a completion ring are for events that belong to no packet
            wire [16:0] slots = 17'd1 << ring_log2[q*4 +: 4];
            assign slot_free[q] = slots_reg[q] < slots - 17'd4;
            assign event_ok[q]  = slots_reg[q] < slots - 17'd1;
            assign waiting[q]   = enable && q_run[q] && slot_free[q] && sum_some[q];
            assign eligible[q]  = waiting[q] && (sel_reg != q || sum_more[q]);
            assign none_in_flight[q] = flying_reg[q] == '0 && !(sel_valid_reg && sel_reg == q);
        end
    endgenerate
    // the first after the queue served last; a chosen queue that has to wait may lose its place to one that came later
    // but has its turn before, so both cases are worked out: the chosen one goes now, or it does not
    function automatic [QW:0] next_after(input [QUEUES-1:0] request, input [QW-1:0] last);
        logic [QUEUES-1:0] behind;
        integer n;
        behind     = request & ({QUEUES{1'b1}} << last) & ~({{(QUEUES-1){1'b0}}, 1'b1} << last);
        next_after = {request != '0, {QW{1'b0}}};
        for (n = QUEUES - 1; n >= 0; n = n - 1)
            if (behind != '0 ? behind[n] : request[n]) next_after[QW-1:0] = n[QW-1:0];
    endfunction
    logic [QW-1:0] last_reg;                            // served last
    wire [QW:0] if_it_goes = next_after(eligible, sel_reg);
    wire [QW:0] if_not     = next_after(waiting, last_reg);
    assign {grant_valid, grant} = sum_pop ? if_it_goes : if_not;

    // ---- stage 1: look at its head, and let it go when there is room
    wire condemned = sum_status != 4'd0;
    wire [14:0] padded = (sum_len < 15'd60) ? 15'd60 : sum_len;
    wire [15:0] charge = {1'b0, padded} + 16'd24;
    wire [14:0] beats  = (sum_len + BYTES[14:0] - 15'd1) >> BB;
    wire commit_ok = commit_bound == 32'd0 || commit_reg < commit_bound;
    wire buf_ok    = {{(14-BUF_LOG2){1'b0}}, free_reg} >= beats;
    wire still     = enable && q_run[sel_reg];
    wire room      = frames_reg < FRAMES[FW:0] && (condemned || (commit_ok && buf_ok));
    wire go        = sel_valid_reg && still && room && m_job_ready;
    assign sum_queue = sel_reg;
    assign sum_pop   = go;

    wire [15:0] index_next = index_reg[sel_reg] + {9'd0, sum_number};
    wire [15:0] index_mask = ~(16'hffff << ring_log2[sel_reg*4 +: 4]);
    assign m_job_valid  = go;
    assign m_job_queue  = sel_reg;
    assign m_job_number = sum_number;
    assign m_job_read   = !condemned;
    assign m_meta_valid = go && !sum_silent;
    assign m_meta = {sel_reg, index_next & index_mask, sum_len, sum_status, sum_report, sum_tstamp, at_fetch, 1'b0};

    // gated by the wire's time or by software, the scheduler has nothing to do
    assign idle = !go && grant_valid == sel_valid_reg && (!grant_valid || grant == sel_reg);

    wire [14:0] kill_beats = (kill_len + BYTES[14:0] - 15'd1) >> BB;
    wire        unused = &{1'b0, kill_beats[14:BUF_LOG2+1]};   // a frame is shorter than the buffer
    wire        fly = m_meta_valid;
    integer k;
    always_ff @(posedge clk) begin
        sel_valid_reg <= grant_valid;
        sel_reg       <= grant;
        if (go) last_reg <= sel_reg;
        if (go) index_reg[sel_reg] <= index_next;
        commit_reg <= commit_reg + ((go && !condemned) ? {16'd0, charge} : 32'd0)
                                 - (wire_release ? {16'd0, wire_bytes} : 32'd0);
        free_reg   <= free_reg - ((go && !condemned) ? beats[BUF_LOG2:0] : {(BUF_LOG2+1){1'b0}})
                               + (buf_release  ? buf_beats               : {(BUF_LOG2+1){1'b0}})
                               + (kill_release ? kill_beats[BUF_LOG2:0]  : {(BUF_LOG2+1){1'b0}});
        frames_reg <= frames_reg + {{FW{1'b0}}, fly} - {{FW{1'b0}}, done_valid};
        for (k = 0; k < QUEUES; k = k + 1) begin
            flying_reg[k] <= flying_reg[k] + {{FW{1'b0}}, fly && sel_reg == k[QW-1:0]}
                                           - {{FW{1'b0}}, done_valid && done_queue == k[QW-1:0]};
            slots_reg[k]  <= slots_reg[k] + {16'd0, fly && sel_reg == k[QW-1:0]}
                                          + {16'd0, event_valid && event_queue == k[QW-1:0]}
                                          - {16'd0, slot_a_release && slot_a_queue == k[QW-1:0]}
                                          - {16'd0, slot_b_release && slot_b_queue == k[QW-1:0]}
                                          - ((con_valid && con_queue == k[QW-1:0]) ? {1'b0, con_number} : 17'd0);
            if (rst || q_clear[k]) begin
                slots_reg[k] <= '0;
                index_reg[k] <= '0;
            end
        end
        if (rst) begin
            sel_valid_reg <= 1'b0;
            sel_reg       <= '0;
            last_reg      <= '0;
            commit_reg    <= '0;
            free_reg      <= {1'b1, {BUF_LOG2{1'b0}}};
            frames_reg    <= '0;
            for (k = 0; k < QUEUES; k = k + 1) flying_reg[k] <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(frame_buffer_is_never_overbooked, free_reg <= {1'b1, {BUF_LOG2{1'b0}}})
        `RW_CHECK(frames_in_flight_stay_bounded, frames_reg <= FRAMES[FW:0])
        `RW_CHECK(commitment_never_goes_negative, !commit_reg[31])
    end
endmodule
