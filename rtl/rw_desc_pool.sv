// Storage of prefetched descriptors: a pool of chunks that all queues share. A chunk holds one aligned group of 8 ring
// slots. A table maps a queue's group to its chunk; a queue always has RESERVE chunks to itself, enough for a packet of
// 64 descriptors at any alignment, so that half-posted packets of other queues can never block it. How far ahead a queue
// is fetched is bounded: what is read before it is needed keeps payload off a narrow bus.
// Rate: one row written, two descriptors read, one chunk taken and one given back each cycle. Latency: reads 1 cycle.
`include "rw_check.svh"
module rw_desc_pool #(
    parameter DATA_W  = 512,                            // width of a memory beat, bits
    parameter QUEUES  = 1,                              // transmit queues
    parameter QW      = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter RESERVE = 9,                              // chunks each queue can count on
    parameter AHEAD   = 64,                             // chunks a queue may hold, at most 64
    parameter CHUNKS  = (QUEUES > 1) ? AHEAD + RESERVE * QUEUES : AHEAD, // chunks in the pool
    parameter CW      = $clog2(CHUNKS),                 // bits of a chunk number; derived
    parameter LANES   = (DATA_W >= 128) ? DATA_W / 128 : 1 // descriptors in a row
) (
    input  logic               clk,
    input  logic               rst,
    // take a chunk for a queue's next group
    output logic [QUEUES-1:0]  can_take,                // a chunk may be taken for this queue
    input  logic               take_valid,
    input  logic [QW-1:0]      take_queue,
    input  logic [5:0]         take_group,              // ring group, modulo 64
    output logic [CW-1:0]      take_chunk,
    // give a queue's oldest chunk back
    input  logic               give_valid,
    input  logic [QW-1:0]      give_queue,
    // give all chunks of a queue back (queue reset); high until flushed
    input  logic [QUEUES-1:0]  flush,
    output logic [QUEUES-1:0]  flushed,                 // the queue holds no chunk
    // the chunk of the group last taken
    input  logic [QW-1:0]      last_queue,
    input  logic [5:0]         last_group,
    output logic [CW-1:0]      last_chunk,
    // write a row
    input  logic [LANES-1:0]   wr_lanes,
    input  logic [CW-1:0]      wr_chunk,
    input  logic [2:0]         wr_slot,                 // first slot of the row
    input  logic [LANES*128-1:0] wr_data,
    // two read ports: descriptor `index` (ring counter, low 9 bits) of a queue
    input  logic               a_en,
    input  logic [QW-1:0]      a_queue,
    input  logic [8:0]         a_index,
    output logic [127:0]       a_data,
    input  logic               b_en,
    input  logic [QW-1:0]      b_queue,
    input  logic [8:0]         b_index,
    output logic [127:0]       b_data,
    output logic               idle,                    // no flush under way
    output logic               awake
);
    localparam LB   = $clog2(LANES);
    localparam TW   = $clog2(QUEUES * 64);              // bits of an index into the table
    localparam ROWS = CHUNKS * 8 / LANES;

    // ---- which chunk holds which group
    logic [CW-1:0] table_mem [0:QUEUES*64-1];
    wire [CW-1:0] a_chunk = table_mem[TW'({a_queue, a_index[8:3]})];
    wire [CW-1:0] b_chunk = table_mem[TW'({b_queue, b_index[8:3]})];
    assign last_chunk = table_mem[TW'({last_queue, last_group})];

    // ---- free chunks: those never used yet are counted, the others are in a FIFO
    logic [CW:0]   fresh_reg;                           // next chunk never used; CHUNKS when none is left
    logic [CW:0]   free_reg;                            // chunks free
    logic [CW:0]   owed_reg;                            // of these, kept for queues below their reserve
    logic [6:0]    used_reg  [0:QUEUES-1];
    logic [5:0]    oldest_reg[0:QUEUES-1];              // group of the chunk to be given back next
    wire           fresh_left = fresh_reg != CHUNKS[CW:0];
    logic          fifo_valid;
    logic [CW-1:0] fifo_chunk;

    // a queue in reset gives back one chunk a cycle when the port is free
    logic          flush_any;
    logic [QW-1:0] flush_queue;
    integer        f;
    always @* begin
        flush_any   = 1'b0;
        flush_queue = '0;
        for (f = 0; f < QUEUES; f = f + 1)
            if (flush[f] && used_reg[f] != 7'd0) begin
                flush_any   = 1'b1;
                flush_queue = f[QW-1:0];
            end
    end
    assign idle = !flush_any;
    assign awake = take_valid || give_valid || flush != '0 || wr_lanes != '0 || a_en || b_en;
    wire           back_valid = give_valid || flush_any;
    wire [QW-1:0]  back_queue = give_valid ? give_queue : flush_queue;
    wire [CW-1:0]  back_chunk = table_mem[TW'({back_queue, oldest_reg[back_queue]})];

    /* verilator lint_off PINCONNECTEMPTY */ // the pool counts its free chunks itself
    rw_fifo #(.W(CW), .DEPTH(1 << CW)) free_fifo (
        .clk(clk), .rst(rst), .count(),
        .s_valid(back_valid), .s_ready(), .s_data(back_chunk),
        .m_valid(fifo_valid), .m_ready(take_valid && !fresh_left), .m_data(fifo_chunk)
    );
    /* verilator lint_on PINCONNECTEMPTY */
    assign take_chunk = fresh_left ? fresh_reg[CW-1:0] : fifo_chunk;

    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_can_take
            assign can_take[q] = used_reg[q] < AHEAD[6:0] && free_reg != '0
                              && (used_reg[q] < RESERVE[6:0] || free_reg > owed_reg);
            assign flushed[q]  = used_reg[q] == 7'd0;
        end
    endgenerate

    wire take_reserved = take_valid && used_reg[take_queue] <  RESERVE[6:0];
    wire back_reserved = back_valid && used_reg[back_queue] <= RESERVE[6:0];
    wire same_queue    = take_valid && back_valid && take_queue == back_queue;
    integer k;
    always_ff @(posedge clk) begin
        if (take_valid) begin
            table_mem[TW'({take_queue, take_group})] <= take_chunk;
            if (fresh_left) fresh_reg <= fresh_reg + 1'b1;
        end
        if (take_valid && !same_queue) used_reg[take_queue] <= used_reg[take_queue] + 1'b1;
        if (back_valid && !same_queue) used_reg[back_queue] <= used_reg[back_queue] - 1'b1;
        if (back_valid) oldest_reg[back_queue] <= oldest_reg[back_queue] + 1'b1;
        free_reg <= free_reg + {{CW{1'b0}}, back_valid} - {{CW{1'b0}}, take_valid};
        if (!same_queue)
            owed_reg <= owed_reg + {{CW{1'b0}}, back_reserved} - {{CW{1'b0}}, take_reserved};
        for (k = 0; k < QUEUES; k = k + 1)
            if (flush[k] && used_reg[k] == 7'd0) oldest_reg[k] <= '0;
        if (rst) begin
            fresh_reg <= '0;
            free_reg  <= CHUNKS[CW:0];
            owed_reg  <= RESERVE[CW:0] * QUEUES[CW:0];
            for (k = 0; k < QUEUES; k = k + 1) begin
                used_reg[k]   <= '0;
                oldest_reg[k] <= '0;
            end
        end
    end

    // ---- descriptors: one bank a lane
    localparam RW = CW + 3 - LB;                        // bits of a row number
    wire [CW+2:0] wr_at = {wr_chunk, wr_slot};
    wire [CW+2:0] a_at  = {a_chunk, a_index[2:0]};
    wire [CW+2:0] b_at  = {b_chunk, b_index[2:0]};
    wire          unused = &{1'b0, wr_at, a_at, b_at};  // the lowest bits choose a lane
    wire [RW-1:0] wr_row = wr_at[CW+2:LB];
    wire [RW-1:0] a_row  = a_at[CW+2:LB];
    wire [RW-1:0] b_row  = b_at[CW+2:LB];
    logic [LANES*128-1:0] a_row_reg, b_row_reg;
    genvar l;
    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_bank
            (* no_rw_check *) logic [127:0] mem [0:ROWS-1]; // a descriptor is read after it has been written
            always_ff @(posedge clk) begin
                if (wr_lanes[l]) mem[wr_row] <= wr_data[l*128 +: 128];
                if (a_en) a_row_reg[l*128 +: 128] <= mem[a_row];
                if (b_en) b_row_reg[l*128 +: 128] <= mem[b_row];
            end
        end
        if (LANES == 1) begin : g_one
            assign a_data = a_row_reg;
            assign b_data = b_row_reg;
        end else begin : g_many
            logic [LB-1:0] a_lane_reg, b_lane_reg;
            always_ff @(posedge clk) begin
                if (a_en) a_lane_reg <= a_index[LB-1:0];
                if (b_en) b_lane_reg <= b_index[LB-1:0];
            end
            assign a_data = a_row_reg[a_lane_reg*128 +: 128];
            assign b_data = b_row_reg[b_lane_reg*128 +: 128];
        end
    endgenerate

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(reserve_is_always_there, free_reg >= owed_reg)
        `RW_CHECK(chunk_is_taken_only_when_allowed, !take_valid || can_take[take_queue])
        `RW_CHECK(chunk_is_taken_from_a_full_list, !take_valid || fresh_left || fifo_valid)
        `RW_CHECK(chunk_is_given_back_by_its_holder, !back_valid || used_reg[back_queue] != 7'd0)
    end
endmodule
