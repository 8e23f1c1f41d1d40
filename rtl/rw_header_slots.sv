// Header slots: the headers of packets that are being cut, as they came from memory, and what follows from each: the
// fields that change from segment to segment, and sums of all that doesn't. A header is looked through once, 8 bytes a
// cycle, as soon as it is there.
// Rate: a row written, a row read, a context read each cycle; a header each (bytes from L3 on) / 8 + 4 cycles.
`include "rw_check.svh"
`include "rw_widths.svh"
module rw_header_slots #(
    parameter DATA_W = 512,                             // width of a beat, bits
    parameter BB     = $clog2(DATA_W / 8),              // bits of an offset in a beat; derived
    parameter SLOT_W = `RW_SLOT_W,                      // bits of a slot's number
    parameter ROW_W  = SLOT_W + 8 - BB,                 // bits of a row; derived
    parameter REQ_W  = `RW_REQ_W,
    parameter CTX_W  = `RW_CTX_W
) (
    input  logic              clk,
    input  logic              rst,
    // a slot is taken
    input  logic              open_valid,
    input  logic [SLOT_W-1:0] open_slot,
    input  logic [REQ_W-1:0]  open_req,
    // its header comes
    input  logic              wr_en,
    input  logic [ROW_W-1:0]  wr_row,
    input  logic [DATA_W-1:0] wr_data,
    input  logic              wr_last,
    input  logic [SLOT_W-1:0] wr_slot,
    // rows
    input  logic              rd_en,
    input  logic [ROW_W-1:0]  rd_row,
    output logic [DATA_W-1:0] rd_data,                  // a cycle later
    // contexts
    input  logic [SLOT_W-1:0] ctx_slot,
    output logic              ctx_ready,
    output logic [REQ_W-1:0]  ctx_req,
    output logic [CTX_W-1:0]  ctx,
    output logic              idle
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    localparam SLOTS = 1 << SLOT_W;

    // ---- rows; the RAM is there twice, for two readers
    logic [DATA_W-1:0] mem  [0:(1<<ROW_W)-1];
    logic [DATA_W-1:0] copy [0:(1<<ROW_W)-1];
    logic              look_en;
    logic [ROW_W-1:0]  look_row;
    logic [DATA_W-1:0] look_data;
    always_ff @(posedge clk) begin
        if (wr_en) mem[wr_row] <= wr_data;
        if (rd_en) rd_data <= mem[rd_row];
        if (wr_en) copy[wr_row] <= wr_data;
        if (look_en) look_data <= copy[look_row];
    end

    // ---- requests and contexts
    logic [REQ_W-1:0] req_mem [0:SLOTS-1];
    logic [CTX_W-1:0] ctx_mem [0:SLOTS-1];
    logic [SLOTS-1:0] ready_reg;
    assign ctx_ready = ready_reg[ctx_slot];
    assign ctx_req   = req_mem[ctx_slot];
    assign ctx       = ctx_mem[ctx_slot];

    // ---- look through headers, in the order in which they came
    logic              todo_valid, todo_ready;
    logic [SLOT_W-1:0] slot;
    /* verilator lint_off PINCONNECTEMPTY */ // it has room for all slots
    rw_fifo #(.W(SLOT_W), .DEPTH(SLOTS)) todo (
        .clk(clk), .rst(rst), .count(), .s_valid(wr_en && wr_last), .s_ready(), .s_data(wr_slot),
        .m_valid(todo_valid), .m_ready(todo_ready), .m_data(slot)
    );
    /* verilator lint_on PINCONNECTEMPTY */
    wire [REQ_W-1:0] req  = req_mem[slot];
    wire [2:0]  kind = req[R_TYPE +: 3];
    wire [8:0]  hdr  = req[R_HDR +: 9];
    wire [6:0]  l3   = req[R_L3+1 +: 7];                // in words of 16 bits
    wire [6:0]  l4   = req[R_L4+1 +: 7];
    wire        tcp  = kind == SEG_TCP4 || kind == SEG_TCP6;
    wire        ufo  = kind == SEG_UFO4;
    wire [18:0] behind = req[R_TOTAL +: 19] - {11'd0, req[R_L4 +: 8]};  // L4 header and payload of the whole packet
    wire [16:0] folded = {1'b0, behind[15:0]} + {14'd0, behind[18:16]};

    logic       busy_reg, come_reg, sum_reg;            // stages: a chunk is asked for, is here, was the last one
    logic [4:0] chunk_reg, here_reg;
    wire  [4:0] chunk = busy_reg ? chunk_reg : l3[6:2];
    wire  [8:0] last_byte = hdr - 9'd1;
    wire        last  = chunk == last_byte[7:3];
    wire        unused = &{1'b0, req[R_FIXED], req[R_PARTIAL], req[R_L3], hdr[0], last_byte[8], last_byte[2:0]};
    logic       came_last_reg;
    wire        start = todo_valid && !busy_reg && !come_reg && !sum_reg;
    assign look_en  = start || busy_reg;
    assign look_row = ROW_W'({slot, chunk} >> (BB - 3));

    // four words of the chunk, and what each of them is
    logic [63:0] word8;
    generate
        if (DATA_W == 64) begin : g_one
            assign word8 = look_data;
        end else begin : g_many
            assign word8 = look_data[{here_reg[BB-4:0], 6'd0} +: 64];
        end
    endgenerate
    logic [16:0] ip_reg, l4_reg;
    logic [18:0] ip_sum, l4_sum;
    logic [15:0] id_reg, flags_reg, field_reg, id_now, flags_now, field_now;
    logic [31:0] seq_reg, seq_now;
    logic [15:0] w;
    logic [6:0]  at, in3, in4;
    integer j;
    always_comb begin
        ip_sum = {2'd0, ip_reg};
        l4_sum = {2'd0, l4_reg};
        id_now = id_reg;
        seq_now = seq_reg;
        flags_now = flags_reg;
        field_now = field_reg;
        w   = '0;
        at  = '0;
        in3 = '0;
        in4 = '0;
        for (j = 0; j < 4; j = j + 1) if (come_reg) begin
            w   = {word8[j*16 +: 8], word8[j*16+8 +: 8]};
            at  = {here_reg, j[1:0]};
            in3 = at - l3;
            in4 = at - l4;
            if (at >= l3 && at < l4) begin              // IP header; what changes is left out
                if (in3 == 7'd2) id_now = w;
                if (in3 != 7'd1 && in3 != 7'd2 && in3 != 7'd5 && !(ufo && in3 == 7'd3)) ip_sum = ip_sum + {3'd0, w};
            end
            if (at >= l4 && {1'b0, at} < hdr[8:1]) begin // TCP or UDP header
                if (tcp && in4 == 7'd2) seq_now[31:16] = w;
                if (tcp && in4 == 7'd3) seq_now[15:0]  = w;
                if (tcp && in4 == 7'd6) flags_now = w;
                if (in4 == (tcp ? 7'd8 : 7'd3)) field_now = w;
                if (in4 != 7'd2 && !(tcp && (in4 == 7'd3 || in4 == 7'd6))) l4_sum = l4_sum + {3'd0, w};
            end
        end
    end
    // less the length of the whole
    wire [15:0] less   = ~(folded[15:0] + {15'd0, folded[16]});
    wire [16:0] l4_all = {1'b0, l4_reg[15:0]} + {16'd0, l4_reg[16]} + {1'b0, less};
    wire [16:0] pseudo = {1'b0, field_reg} + {1'b0, less};
    assign todo_ready = sum_reg;
    assign idle = !start && !busy_reg && !come_reg && !sum_reg;

    always_ff @(posedge clk) begin
        if (open_valid) begin
            req_mem[open_slot]   <= open_req;
            ready_reg[open_slot] <= 1'b0;
        end
        if (look_en) begin
            busy_reg  <= !last;
            chunk_reg <= chunk + 5'd1;
        end
        come_reg      <= look_en;
        here_reg      <= chunk;
        came_last_reg <= last;
        if (come_reg) begin
            ip_reg    <= {1'b0, ip_sum[15:0]} + {14'd0, ip_sum[18:16]};
            l4_reg    <= {1'b0, l4_sum[15:0]} + {14'd0, l4_sum[18:16]};
            id_reg    <= id_now;
            seq_reg   <= seq_now;
            flags_reg <= flags_now;
            field_reg <= field_now;
        end
        sum_reg <= come_reg && came_last_reg;
        if (sum_reg) begin
            ctx_mem[slot]   <= {l4_all[15:0] + {15'd0, l4_all[16]}, pseudo[15:0] + {15'd0, pseudo[16]},
                                ip_reg[15:0] + {15'd0, ip_reg[16]}, id_reg, seq_reg, flags_reg};
            ready_reg[slot] <= 1'b1;
            ip_reg <= '0;
            l4_reg <= '0;
        end
        if (rst) begin
            busy_reg  <= 1'b0;
            come_reg  <= 1'b0;
            sum_reg   <= 1'b0;
            ready_reg <= '0;
            ip_reg    <= '0;
            l4_reg    <= '0;
        end
    end
endmodule
