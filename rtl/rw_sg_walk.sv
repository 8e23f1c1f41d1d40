// Fragment walker: takes a picked frame's descriptors out of the pool, in order, and hands their buffers on as the
// fragments of that frame. Of a packet that is cut it takes only so much as the segment needs, and remembers for each
// queue where the next one goes on. Descriptors of a condemned packet are taken without being read.
// Rate: a descriptor a cycle; of a packet that is cut a fragment a cycle, and a descriptor each 2 cycles. Latency: 2
// cycles from job to first fragment, 3 of a packet that is cut: there the descriptor is kept in a register first.
`include "rw_check.svh"
module rw_sg_walk #(
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1 // bits of a queue number; derived
) (
    input  logic              clk,
    input  logic              rst,
    input  logic [QUEUES-1:0] q_clear,
    input  logic              s_job_valid,
    output logic              s_job_ready,
    input  logic [QW-1:0]     s_job_queue,
    input  logic [6:0]        s_job_number,             // descriptors of the packet; 0 is legal
    input  logic              s_job_read,               // read what they name, else only take what is left of them
    input  logic              s_job_skip,               // the first one is an offload descriptor
    input  logic              s_job_cut,                // a segment:
    input  logic [14:0]       s_job_bytes,              // ... of so many bytes
    input  logic              s_job_last,               // ... after which nothing of the packet is left
    // pool
    output logic              rd_en,
    output logic [QW-1:0]     rd_queue,
    output logic [8:0]        rd_index,
    input  logic [127:0]      rd_data,                  // a cycle later
    output logic              give_valid,               // the last descriptor of a chunk was taken
    output logic [QW-1:0]     give_queue,
    // fragments
    output logic              m_frag_valid,
    input  logic              m_frag_ready,
    output logic [63:0]       m_frag_addr,
    output logic [14:0]       m_frag_len,               // bytes, 1 to 16,384
    output logic              m_frag_first,             // of its frame
    output logic              m_frag_last,
    output logic [QUEUES-1:0] none_in_flight,           // no job of the queue is waiting or under way
    output logic              idle,
    output logic              awake
);
`include "ringwire_regs.svh"
    localparam JW = QW + 7 + 4 + 15;
    localparam FW = 64 + 15 + 2;

    logic          job_valid, job_ready, job_read, job_skip, job_cut, job_last;
    logic [QW-1:0] job_queue;
    logic [6:0]    job_number;
    logic [14:0]   job_bytes;
    /* verilator lint_off PINCONNECTEMPTY */ // its fill is not of interest
    rw_fifo #(.W(JW), .DEPTH(2)) jobs (
        .clk(clk), .rst(rst), .count(), .s_valid(s_job_valid), .s_ready(s_job_ready),
        .s_data({s_job_queue, s_job_number, s_job_read, s_job_skip, s_job_cut, s_job_last, s_job_bytes}),
        .m_valid(job_valid), .m_ready(job_ready),
        .m_data({job_queue, job_number, job_read, job_skip, job_cut, job_last, job_bytes})
    );
    /* verilator lint_on PINCONNECTEMPTY */

    logic [8:0]  taken_reg [0:QUEUES-1];                // ring counter: descriptors taken, modulo what a pool may hold
    logic [6:0]  done_reg;                              // descriptors of this job taken so far
    logic        in_reg, first_reg, last_reg;           // a descriptor is coming out of the pool
    logic [6:0]  walked_reg [0:QUEUES-1];               // of the packet being cut: descriptors taken
    logic [14:0] part_reg   [0:QUEUES-1];               // ... and bytes taken of the next one
    logic        look_reg;                              // the descriptor that a segment goes on in is coming
    logic        held_reg;                              // ... and is here
    logic [QW-1:0] held_queue_reg;                      // whose it is
    logic [63:0] held_addr_reg;
    logic [14:0] held_len_reg;
    logic        begun_reg;                             // the segment has its first fragment
    logic [14:0] need_reg;                              // bytes it still needs
    logic [2:0]  frag_count;
    logic        frag_ready;

    // ---- whole packets: a descriptor a cycle, known by their number
    wire [6:0] number_now = done_reg + 7'd1;
    wire       last = number_now >= job_number;         // also for a job without descriptors
    wire       skip = job_skip && done_reg == 7'd0;
    wire       room = !job_read || frag_count + {2'd0, in_reg} < 3'd5;
    wire       step = job_valid && !job_cut && room;
    wire       take = step && job_number != 7'd0;

    // ---- segments: look at the descriptor, take what is needed of it; the next one is read meanwhile
    wire [6:0]  walked = walked_reg[job_queue];
    wire [14:0] part   = part_reg[job_queue];
    wire [14:0] left   = held_len_reg - part;
    wire [14:0] need   = begun_reg ? need_reg : job_bytes;
    wire [15:0] upto   = {1'b0, part} + {1'b0, need};
    wire        enough = {1'b0, held_len_reg} >= upto;
    wire        used_up = {1'b0, held_len_reg} <= upto;  // nothing is left of it
    wire [14:0] bytes  = enough ? need : left;
    wire        cut        = job_valid && job_cut;
    wire        cut_skip   = cut && job_read && job_skip && walked == 7'd0;
    wire        cut_seen   = (held_reg || look_reg) && held_queue_reg == job_queue;
    wire        cut_look   = cut && job_read && !cut_skip && !cut_seen;
    wire        cut_use    = cut && job_read && !cut_skip && cut_seen && held_reg && !in_reg && frag_count != 3'd5;
    wire        cut_drop   = cut && !job_read && walked != job_number;
    wire        cut_done   = cut && (job_read ? cut_use && enough : walked == job_number);
    wire        cut_taken  = cut_skip || cut_drop || (cut_use && used_up);
    wire        next_is_its = walked + 7'd1 != job_number;  // the next descriptor is of this packet as well

    assign job_ready  = (step && last) || cut_done;
    assign rd_en      = (take && job_read && !skip) || cut_look || cut_use;
    assign rd_queue   = job_queue;
    assign rd_index   = taken_reg[job_queue] + {8'd0, cut_use};
    assign idle       = !job_valid && !in_reg && !give_valid;  // of fragments the read engine knows
    assign awake = !idle || s_job_valid || look_reg || (m_frag_valid && m_frag_ready) || q_clear != '0;

    wire unused = &{1'b0, rd_data[127:DESC_LEN_LSB+15]};  // flags and offload fields: not looked at here
    wire [63:0] addr = rd_data[DESC_ADDR_LSB +: 64];
    wire [14:0] len  = rd_data[DESC_LEN_LSB +: 15];
    rw_fifo #(.W(FW), .DEPTH(4)) fragments (
        .clk(clk), .rst(rst), .count(frag_count),
        .s_valid(in_reg || cut_use), .s_ready(frag_ready),
        .s_data(cut_use ? {held_addr_reg + {49'd0, part}, bytes, !begun_reg, enough} : {addr, len, first_reg, last_reg}),
        .m_valid(m_frag_valid), .m_ready(m_frag_ready),
        .m_data({m_frag_addr, m_frag_len, m_frag_first, m_frag_last})
    );

    logic [1:0] jobs_reg [0:QUEUES-1];
    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_queue
            assign none_in_flight[q] = jobs_reg[q] == 2'd0;
        end
    endgenerate

    integer k;
    always_ff @(posedge clk) begin
        for (k = 0; k < QUEUES; k = k + 1) begin
            jobs_reg[k] <= jobs_reg[k] + {1'b0, s_job_valid && s_job_ready && s_job_queue == k[QW-1:0]}
                                       - {1'b0, job_ready && job_queue == k[QW-1:0]};
            if (rst) jobs_reg[k] <= '0;
        end
        in_reg    <= take && job_read && !skip;
        first_reg <= done_reg == {6'd0, job_skip};
        last_reg  <= last;
        if (step) done_reg <= last ? 7'd0 : number_now;

        look_reg <= cut_look || (cut_use && used_up && next_is_its);
        if (cut_look) held_queue_reg <= job_queue;
        if (look_reg) begin
            held_addr_reg <= addr;
            held_len_reg  <= len;
        end
        held_reg <= !cut_look && (look_reg || (held_reg && !(cut_use && used_up)));
        if (cut_use) begin
            begun_reg <= !enough;
            need_reg  <= need - bytes;
            part_reg[job_queue] <= used_up ? 15'd0 : upto[14:0];
        end
        if (cut_drop) part_reg[job_queue] <= '0;
        if (cut_taken) walked_reg[job_queue] <= walked + 7'd1;
        if (cut_done && job_last) walked_reg[job_queue] <= '0;

        if (take || cut_taken) taken_reg[job_queue] <= taken_reg[job_queue] + 9'd1;
        give_valid <= (take || cut_taken) && taken_reg[job_queue][2:0] == 3'd7;
        give_queue <= job_queue;
        for (k = 0; k < QUEUES; k = k + 1)
            if (rst || q_clear[k]) begin
                taken_reg[k]  <= '0;
                walked_reg[k] <= '0;
                part_reg[k]   <= '0;
            end
        // what is kept of a packet that a reset or a failed read ends is of no use
        if (rst || cut_drop || (q_clear != '0)) begin
            held_reg <= 1'b0;
            look_reg <= 1'b0;
        end
        if (rst) begin
            give_valid <= 1'b0;
            in_reg    <= 1'b0;
            done_reg  <= '0;
            begun_reg <= 1'b0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(fragment_finds_room, !(in_reg || cut_use) || frag_ready)
        `RW_CHECK(a_packet_ends_with_its_last_descriptor,
                  !(cut_done && job_last && job_read) || (cut_taken && walked + 7'd1 == job_number))
    end
endmodule
