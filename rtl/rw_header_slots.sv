// Header slots: the headers of packets that are being cut, as they came from memory, and what follows from each: the
// fields that change from segment to segment, and sums of all that doesn't. A header is looked through once, 8 bytes a
// cycle, as soon as it is there.
// Rate: a row written, a row read, a context read each cycle; a header each (bytes from L3 on) / 8 + 6 cycles.
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
    output logic              idle,
    output logic              awake
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    localparam SLOTS = 1 << SLOT_W;

    // ---- rows; the RAM is there twice, for two readers; no row is read before it has been written
    (* no_rw_check *) logic [DATA_W-1:0] mem  [0:(1<<ROW_W)-1];
    (* no_rw_check *) logic [DATA_W-1:0] copy [0:(1<<ROW_W)-1];
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
    logic              todo_valid, have_reg, sum_reg;
    logic [SLOT_W-1:0] todo_slot, slot_reg;
    logic [REQ_W-1:0]  look_req_reg;                    // of the header that is looked through
    wire               come = wr_en && wr_last;
    wire               load = !have_reg || sum_reg;
    wire [SLOT_W-1:0]  next_slot = todo_valid ? todo_slot : wr_slot;
    /* verilator lint_off PINCONNECTEMPTY */ // it has room for all slots
    rw_fifo #(.W(SLOT_W), .DEPTH(SLOTS)) todo (
        .clk(clk), .rst(rst), .count(), .s_valid(come && (!load || todo_valid)), .s_ready(), .s_data(wr_slot),
        .m_valid(todo_valid), .m_ready(load), .m_data(todo_slot)
    );
    /* verilator lint_on PINCONNECTEMPTY */
    wire [REQ_W-1:0] req = look_req_reg;
    wire [2:0]  kind = req[R_TYPE +: 3];
    wire [7:0]  hdr  = req[R_HDR +: 8];                 // in words of 16 bits
    wire [6:0]  l3   = req[R_L3 +: 7];
    wire [6:0]  l4   = req[R_L4 +: 7];
    wire        tcp  = kind == SEG_TCP4 || kind == SEG_TCP6;
    wire        ufo  = kind == SEG_UFO4;
    wire [18:0] behind = req[R_TOTAL +: 19] - {11'd0, l4, 1'b0};  // L4 header and payload of the whole packet
    logic [18:0] behind_reg;
    wire [16:0] folded = {1'b0, behind_reg[15:0]} + {14'd0, behind_reg[18:16]};

    // stages: a chunk is asked for, is here, its words are known, their sum is, all sums are
    logic       busy_reg, a_valid_reg, b_valid_reg, c_valid_reg, a_last_reg, b_last_reg, c_last_reg;
    logic [4:0] chunk_reg;
    wire  [4:0] chunk = busy_reg ? chunk_reg : l3[6:2];
    wire  [7:0] last_word = hdr - 8'd1;
    wire        last  = chunk == last_word[6:2];
    wire        unused = &{1'b0, req[R_FIXED], req[R_PARTIAL], last_word[7], last_word[1:0]};
    wire        start = have_reg && !busy_reg && !a_valid_reg && !b_valid_reg && !c_valid_reg && !sum_reg;
    assign look_en  = start || busy_reg;
    assign look_row = ROW_W'({slot_reg, chunk} >> (BB - 3));

    // four words of the chunk
    logic [63:0] word8;
    generate
        if (DATA_W == 64) begin : g_one
            assign word8 = look_data;
        end else begin : g_many
            logic [BB-4:0] here_reg;                    // its place in the row
            always_ff @(posedge clk) here_reg <= chunk[BB-4:0];
            assign word8 = look_data[{here_reg, 6'd0} +: 64];
        end
    endgenerate
    // what each of them is: counted in the sum of IP or of L4, or a field
    logic [3:0] in_ip, in_l4, is_id, is_high, is_low, is_flags, is_field;
    logic [27:0] a_is_reg, b_is_reg;
    logic [6:0] at, in3, in4;
    integer j;
    always @* begin
        at  = '0;
        in3 = '0;
        in4 = '0;
        for (j = 0; j < 4; j = j + 1) begin
            at  = {chunk, j[1:0]};
            in3 = at - l3;
            in4 = at - l4;
            // IP header; what changes is left out
            in_ip[j] = at >= l3 && at < l4
                    && in3 != 7'd1 && in3 != 7'd2 && in3 != 7'd5 && !(ufo && in3 == 7'd3);
            is_id[j] = at < l4 && in3 == 7'd2;
            // TCP or UDP header
            in_l4[j]    = at >= l4 && {1'b0, at} < hdr && in4 != 7'd2 && !(tcp && (in4 == 7'd3 || in4 == 7'd6));
            is_high[j]  = {1'b0, at} < hdr && tcp && in4 == 7'd2;
            is_low[j]   = {1'b0, at} < hdr && tcp && in4 == 7'd3;
            is_flags[j] = {1'b0, at} < hdr && tcp && in4 == 7'd6;
            is_field[j] = {1'b0, at} < hdr && in4 == (tcp ? 7'd8 : 7'd3);
        end
    end
    function automatic [15:0] chosen(input [63:0] words, input [3:0] which);
        chosen = ({16{which[0]}} & words[15:0])  | ({16{which[1]}} & words[31:16])
               | ({16{which[2]}} & words[47:32]) | ({16{which[3]}} & words[63:48]);
    endfunction
    function automatic [17:0] sum_of(input [63:0] words, input [3:0] which);
        sum_of = ({2'd0, {16{which[0]}} & words[15:0]}  + {2'd0, {16{which[1]}} & words[31:16]})
               + ({2'd0, {16{which[2]}} & words[47:32]} + {2'd0, {16{which[3]}} & words[63:48]});
    endfunction
    logic [63:0] b_words_reg;
    logic [17:0] c_ip_reg, c_l4_reg;
    logic [16:0] ip_reg, l4_reg;
    logic [15:0] id_reg, flags_reg, field_reg;
    logic [31:0] seq_reg;
    wire  [18:0] ip_sum = {2'd0, ip_reg} + {1'b0, c_ip_reg};
    wire  [18:0] l4_sum = {2'd0, l4_reg} + {1'b0, c_l4_reg};
    // less the length of the whole
    logic [15:0] less_reg;
    wire [16:0] l4_all = {1'b0, l4_reg[15:0]} + {16'd0, l4_reg[16]} + {1'b0, less_reg};
    wire [16:0] pseudo = {1'b0, field_reg} + {1'b0, less_reg};
    assign idle = !have_reg;
    assign awake = !idle || todo_valid || open_valid || wr_en || rd_en || a_valid_reg || b_valid_reg || c_valid_reg
            || sum_reg;

    always_ff @(posedge clk) begin
        if (open_valid) begin
            req_mem[open_slot]   <= open_req;
            ready_reg[open_slot] <= 1'b0;
        end
        if (look_en) begin
            busy_reg  <= !last;
            chunk_reg <= chunk + 5'd1;
        end
        if (load) begin
            have_reg     <= todo_valid || come;
            slot_reg     <= next_slot;
            look_req_reg <= req_mem[next_slot];
        end
        if (have_reg) begin                             // both in time for the first header's end
            behind_reg <= behind;
            less_reg   <= ~(folded[15:0] + {15'd0, folded[16]});
        end
        a_valid_reg <= look_en;
        a_last_reg  <= last;
        if (look_en) a_is_reg <= {is_field, is_flags, is_low, is_high, is_id, in_l4, in_ip};
        b_valid_reg <= a_valid_reg;
        b_last_reg  <= a_last_reg;
        if (a_valid_reg) begin
            b_is_reg    <= a_is_reg;
            b_words_reg <= {word8[55:48], word8[63:56], word8[39:32], word8[47:40],
                            word8[23:16], word8[31:24], word8[7:0],   word8[15:8]};
        end
        c_valid_reg <= b_valid_reg;
        c_last_reg  <= b_last_reg;
        if (b_valid_reg) begin
            c_ip_reg <= sum_of(b_words_reg, b_is_reg[3:0]);
            c_l4_reg <= sum_of(b_words_reg, b_is_reg[7:4]);
            if (b_is_reg[11:8]  != '0) id_reg         <= chosen(b_words_reg, b_is_reg[11:8]);
            if (b_is_reg[15:12] != '0) seq_reg[31:16] <= chosen(b_words_reg, b_is_reg[15:12]);
            if (b_is_reg[19:16] != '0) seq_reg[15:0]  <= chosen(b_words_reg, b_is_reg[19:16]);
            if (b_is_reg[23:20] != '0) flags_reg      <= chosen(b_words_reg, b_is_reg[23:20]);
            if (b_is_reg[27:24] != '0) field_reg      <= chosen(b_words_reg, b_is_reg[27:24]);
        end
        if (c_valid_reg) begin
            ip_reg    <= {1'b0, ip_sum[15:0]} + {14'd0, ip_sum[18:16]};
            l4_reg    <= {1'b0, l4_sum[15:0]} + {14'd0, l4_sum[18:16]};
        end
        sum_reg <= c_valid_reg && c_last_reg;
        if (sum_reg) begin
            ctx_mem[slot_reg]   <= {l4_all[15:0] + {15'd0, l4_all[16]}, pseudo[15:0] + {15'd0, pseudo[16]},
                                ip_reg[15:0] + {15'd0, ip_reg[16]}, id_reg, seq_reg, flags_reg};
            ready_reg[slot_reg] <= 1'b1;
            ip_reg <= '0;
            l4_reg <= '0;
        end
        if (rst) begin
            busy_reg    <= 1'b0;
            have_reg    <= 1'b0;
            a_valid_reg <= 1'b0;
            b_valid_reg <= 1'b0;
            c_valid_reg <= 1'b0;
            sum_reg     <= 1'b0;
            ready_reg <= '0;
            ip_reg    <= '0;
            l4_reg    <= '0;
        end
    end
endmodule
