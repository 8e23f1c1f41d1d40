// Descriptor prefetch: keeps each queue's posted descriptors coming into the pool.
// A burst covers posted slots of one aligned group of 8, so it never crosses 4 KiB. Bursts are asked for in ring order,
// and their beats come back in order (one AXI id), so a queue's descriptors arrive in order.
// Rate: a burst each 2 cycles, a beat a cycle. Latency: doorbell to request 1 cycle.
`include "rw_check.svh"
module rw_desc_fetch #(
    parameter DATA_W = 512,                             // width of a memory beat, bits
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter CW     = 6,                               // bits of a chunk number
    parameter LANES  = (DATA_W >= 128) ? DATA_W / 128 : 1 // descriptors in a beat (64 bit: a half)
) (
    input  logic                   clk,
    input  logic                   rst,
    input  logic [QUEUES-1:0]      q_run,               // queue enabled and not in reset
    input  logic [QUEUES-1:0]      q_clear,             // set the queue's state back
    input  logic [QUEUES*64-1:0]   ring_base,           // bytes
    input  logic [QUEUES*4-1:0]    ring_log2,           // entries, power of two
    // doorbell, already checked
    input  logic                   db_valid,
    input  logic [QW-1:0]          db_queue,
    input  logic [15:0]            db_tail,             // ring index
    // read requests; one that is not taken may be taken back
    output logic                   m_req_valid,
    input  logic                   m_req_ready,
    output logic [63:0]            m_req_addr,
    output logic [7:0]             m_req_len,           // beats - 1
    // beats of descriptor reads
    input  logic                   r_valid,
    input  logic [DATA_W-1:0]      r_data,
    input  logic                   r_err,
    input  logic                   r_last,
    // pool
    input  logic [QUEUES-1:0]      can_take,
    output logic                   take_valid,
    output logic [QW-1:0]          take_queue,
    output logic [5:0]             take_group,
    input  logic [CW-1:0]          take_chunk,
    output logic [QW-1:0]          last_queue,
    output logic [5:0]             last_group,
    input  logic [CW-1:0]          last_chunk,
    output logic [LANES-1:0]       wr_lanes,
    output logic [CW-1:0]          wr_chunk,
    output logic [2:0]             wr_slot,
    output logic [LANES*128-1:0]   wr_data,
    // progress
    output logic [QUEUES*16-1:0]   arrived,             // ring counter: descriptors in the pool up to here
    output logic [QUEUES*16-1:0]   asked,               // ring counter: descriptors asked for up to here
    output logic [QUEUES*16-1:0]   tail,                // ring counter: descriptors posted up to here
    output logic [QUEUES-1:0]      fetch_failed,        // a descriptor read failed at `arrived`
    output logic [QUEUES-1:0]      none_in_flight,
    output logic [3:0]             stat_fetched,        // descriptors that arrived in this cycle
    output logic                   idle,
    output logic                   awake
);
    localparam BYTES = DATA_W / 8;
    localparam BB    = $clog2(BYTES);

    logic [15:0] tail_reg [0:QUEUES-1];
    logic [15:0] asked_reg [0:QUEUES-1];
    logic [15:0] arrived_reg [0:QUEUES-1];
    logic [6:0]  flying_reg [0:QUEUES-1];               // bursts in flight
    logic [QUEUES-1:0] failed_reg;

    // ---- choose a queue (stage 0), ask for a burst (stage 1)
    logic [QUEUES-1:0] wants;
    logic              sel_valid_reg;
    logic [QW-1:0]     sel_reg;
    logic              grant_valid;
    logic [QW-1:0]     grant;
    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_queue
            assign wants[q] = q_run[q] && !failed_reg[q] && tail_reg[q] != asked_reg[q]
                           && (asked_reg[q][2:0] != 3'd0 || can_take[q]);
            assign none_in_flight[q] = flying_reg[q] == 7'd0 && !(sel_valid_reg && sel_reg == q);
            assign arrived[q*16 +: 16] = arrived_reg[q];
            assign asked[q*16 +: 16]   = asked_reg[q];
            assign tail[q*16 +: 16]    = tail_reg[q];
        end
    endgenerate
    assign fetch_failed = failed_reg;

    rw_arbiter #(.N(QUEUES)) choose (
        .clk(clk), .rst(rst), .request(wants), .grant_valid(grant_valid), .grant(grant), .accept(!sel_valid_reg)
    );

    // one burst: from the next slot to the end of its group or to the tail
    wire [15:0] at        = asked_reg[sel_reg];
    wire [15:0] posted    = tail_reg[sel_reg] - at;
    wire [3:0]  to_group_end = 4'd8 - {1'b0, at[2:0]};
    wire [3:0]  number    = (posted < {12'd0, to_group_end}) ? posted[3:0] : to_group_end;
    wire [15:0] slot      = at & ~(16'hffff << ring_log2[sel_reg*4 +: 4]);
    wire [63:0] addr      = ring_base[sel_reg*64 +: 64] + {44'd0, slot, 4'd0};
    wire        unused    = &{1'b0, addr[BB-1:0]};
    wire [7:0]  first_off = {1'b0, at[2:0], 4'd0} & ((BYTES < 128) ? BYTES[7:0] - 8'd1 : 8'd127);
    wire [7:0]  span      = first_off + {number, 4'd0} - 8'd1;  // offset of the last byte, from the first beat's start
    wire        new_group = at[2:0] == 3'd0;

    logic fly_ready, fly_valid;
    wire still = q_run[sel_reg] && !failed_reg[sel_reg] && (!new_group || can_take[sel_reg]);
    wire go    = m_req_valid && m_req_ready;

    assign take_valid = go && new_group;
    assign take_queue = sel_reg;
    assign take_group = at[8:3];
    assign last_queue = sel_reg;
    assign last_group = at[8:3];
    assign m_req_valid = sel_valid_reg && still && fly_ready;
    assign m_req_addr  = {addr[63:BB], {BB{1'b0}}};
    assign m_req_len   = span >> BB;

    // ---- bursts in flight, in order
    localparam FW = QW + CW + 3 + 4;
    logic [FW-1:0] fly_in, fly_out;
    assign fly_in = {sel_reg, new_group ? take_chunk : last_chunk, at[2:0], number};
    /* verilator lint_off PINCONNECTEMPTY */ // its fill is not of interest
    rw_fifo #(.W(FW), .DEPTH(64)) flying (
        .clk(clk), .rst(rst), .count(),
        .s_valid(go), .s_ready(fly_ready), .s_data(fly_in),
        .m_valid(fly_valid), .m_ready(r_valid && r_last), .m_data(fly_out)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    // ---- arrival: rows of the burst at the head
    wire [QW-1:0] in_queue  = fly_out[FW-1 -: QW];
    wire [CW-1:0] in_chunk  = fly_out[7 +: CW];
    wire [2:0]    in_first  = fly_out[4 +: 3];
    wire [3:0]    in_number = fly_out[3:0];
    wire [3:0]    in_end    = {1'b0, in_first} + in_number;
    logic [3:0]   row_reg;                              // first slot of the next row, when not at a burst's start
    logic         inside_reg;                           // between a burst's first and last beat
    wire  [3:0]   row = inside_reg ? row_reg : {1'b0, in_first} & ~(LANES[3:0] - 4'd1);
    wire  [3:0]   row_end = row + LANES[3:0];
    wire  [3:0]   from = (row < {1'b0, in_first}) ? {1'b0, in_first} : row;
    wire  [3:0]   to   = (row_end < in_end) ? row_end : in_end;
    wire          keep = r_valid && !r_err && !failed_reg[in_queue];
    logic         complete;                             // this beat completes its row
    assign stat_fetched = (keep && complete) ? to - from : 4'd0;
    assign wr_chunk = in_chunk;
    assign wr_slot  = row[2:0];
    genvar l;
    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_lane
            assign wr_lanes[l] = keep && complete && row + l >= from && row + l < to;
        end
        if (DATA_W >= 128) begin : g_wide
            assign complete = 1'b1;
            assign wr_data  = r_data;
        end else begin : g_half                         // two beats a descriptor
            logic        upper_reg;
            logic [63:0] lower_reg;
            assign complete = upper_reg;
            assign wr_data  = {r_data, lower_reg};
            always_ff @(posedge clk) begin
                if (r_valid) begin
                    upper_reg <= !upper_reg;
                    lower_reg <= r_data;
                end
                if (rst) upper_reg <= 1'b0;
            end
        end
    endgenerate

    assign idle = !r_valid && !sel_valid_reg && wants == '0;
    assign awake = !idle || db_valid || q_clear != '0;

    wire [15:0] db_mask = ~(16'hffff << ring_log2[db_queue*4 +: 4]);
    integer k;
    always_ff @(posedge clk) begin
        if (!sel_valid_reg) begin
            sel_valid_reg <= grant_valid;
            sel_reg       <= grant;
        end else if (go || !still) sel_valid_reg <= 1'b0;

        if (go) asked_reg[sel_reg] <= at + {12'd0, number};

        if (r_valid) begin
            inside_reg <= !r_last;
            if (complete) row_reg <= row_end;
            else          row_reg <= row;
            if (r_err) failed_reg[in_queue] <= 1'b1;
        end
        if (keep && complete) arrived_reg[in_queue] <= arrived_reg[in_queue] + {12'd0, stat_fetched};

        for (k = 0; k < QUEUES; k = k + 1)
            if ((go && sel_reg == k[QW-1:0]) != (r_valid && r_last && in_queue == k[QW-1:0]))
                flying_reg[k] <= (go && sel_reg == k[QW-1:0]) ? flying_reg[k] + 7'd1 : flying_reg[k] - 7'd1;

        if (db_valid)
            tail_reg[db_queue] <= tail_reg[db_queue] + ((db_tail - tail_reg[db_queue]) & db_mask);

        for (k = 0; k < QUEUES; k = k + 1)
            if (rst || q_clear[k]) begin
                tail_reg[k]    <= '0;
                asked_reg[k]   <= '0;
                arrived_reg[k] <= '0;
                failed_reg[k]  <= 1'b0;
            end
        if (rst) begin
            sel_valid_reg <= 1'b0;
            sel_reg       <= '0;
            inside_reg    <= 1'b0;
            for (k = 0; k < QUEUES; k = k + 1) flying_reg[k] <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(descriptor_beat_belongs_to_a_burst, !r_valid || fly_valid)
        `RW_CHECK(burst_ends_with_its_last_descriptor, !(r_valid && complete) || r_last == (row_end >= in_end))
        `RW_CHECK(burst_has_a_descriptor, !go || number != 4'd0)
    end
endmodule
