// Frame editor: works out, before a frame leaves the frame buffer, what of its bytes is to be changed: a completed
// checksum, or the fields of a segment's header; and how long it is on the wire. Sums are one's complement (RFC 1071).
// Rate: a frame a cycle. Latency: 4 cycles; a packet's first segment waits until its header has been looked through.
`include "rw_check.svh"
`include "rw_widths.svh"
module rw_frame_edit #(
    parameter DATA_W  = 512,                            // width of a beat, bits
    parameter QW      = 1,                              // bits of a queue number
    parameter META_W  = `RW_META_W(QW),
    parameter EDIT_W  = `RW_EDIT_W,
    parameter REQ_W   = `RW_REQ_W,
    parameter CTX_W   = `RW_CTX_W,
    parameter PATCH_W = `RW_PATCH_W,
    parameter SLOT_W  = `RW_SLOT_W                      // bits of a header slot's number
) (
    input  logic               clk,
    input  logic               rst,
    // whole frames, in order, and their checksums
    input  logic               s_valid,
    output logic               s_ready,
    input  logic [META_W-1:0]  s_meta,
    input  logic [EDIT_W-1:0]  s_edit,
    input  logic [15:0]        s_sum,
    input  logic               s_drop,
    input  logic               s_header,               // its packet has a header in a slot
    // header slots
    output logic [SLOT_W-1:0]  ctx_slot,
    input  logic               ctx_ready,
    input  logic [REQ_W-1:0]   ctx_req,
    input  logic [CTX_W-1:0]   ctx,
    // the same frames, and what is to be done to their bytes
    output logic               m_valid,
    input  logic               m_ready,
    output logic [META_W-1:0]  m_meta,
    output logic [PATCH_W-1:0] m_patch,
    output logic               idle,
    output logic               awake
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    localparam BYTES = DATA_W / 8;
    localparam BB    = $clog2(BYTES);

    logic [3:0] inside_reg, count;                      // frames taken that have not left; and those that wait for it
    logic       a_valid_reg, b_valid_reg, c_valid_reg;

    // ---- take a frame when there is room for it behind, and its header is known
    wire room  = inside_reg != 4'd9;
    // also of a frame that failed: its slot must not be free before the header has been looked through
    wire known = !s_header || ctx_ready;
    assign ctx_slot = s_edit[E_SLOT +: SLOT_W];
    assign s_ready  = room && known;
    wire take = s_valid && s_ready;
    wire left = m_valid && m_ready;
    assign idle = !take && !a_valid_reg && !b_valid_reg && !c_valid_reg;
    assign awake = !idle || left;

    // ---- stage a: what it asks for
    logic [META_W-1:0] a_meta_reg, b_meta_reg, c_meta_reg;
    logic [EDIT_W-1:0] a_edit_reg;
    logic [15:0]       a_sum_reg, b_sum_reg;
    logic              a_drop_reg, b_drop_reg, c_drop_reg;
    logic [REQ_W-1:0]  a_req_reg;
    logic [CTX_W-1:0]  a_ctx_reg;

    wire [2:0]  kind  = a_req_reg[R_TYPE +: 3];
    wire        cut   = a_edit_reg[E_CUT];
    wire        six   = kind == SEG_TCP6 || kind == SEG_UDP6;
    wire        tcp   = kind == SEG_TCP4 || kind == SEG_TCP6;
    wire        ufo   = kind == SEG_UFO4;
    wire        first = a_meta_reg[F_FIRST];
    wire        final_one = a_meta_reg[F_LAST];
    wire [14:0] len   = a_meta_reg[F_LEN +: 15];
    wire [14:0] bare  = len - {12'd0, a_edit_reg[E_TAG], 2'd0};
    wire [14:0] padded = (len < 15'd60) ? 15'd60 : len;
    wire [14:0] data_beats = (bare + BYTES[14:0] - 15'd1) >> BB;
    wire [7:0]  l3     = {a_req_reg[R_L3 +: 7], 1'b0};
    wire [7:0]  l4     = {a_req_reg[R_L4 +: 7], 1'b0};
    wire [17:0] offset = a_edit_reg[E_OFFSET +: 18];
    wire [15:0] flags_in = a_ctx_reg[C_FLAGS +: 16];
    wire [31:0] seq_in   = a_ctx_reg[C_SEQ +: 32];
    wire [15:0] id_in    = a_ctx_reg[C_ID +: 16];
    wire        unused = &{1'b0, a_req_reg[R_TOTAL +: 19], data_beats[14:12]};

    // ---- stage b: the fields
    logic        b_cut_reg, b_six_reg, b_tcp_reg, b_ufo_reg, b_partial_reg, b_csum_reg, b_tag_reg;
    logic [11:0] b_beats_reg, b_data_reg;
    logic [14:0] b_padded_reg;
    logic [SLOT_W-1:0] b_slot_reg;
    logic [15:0] b_tci_reg;
    logic [8:0]  b_field_reg;
    logic [7:0]  b_hdr_reg;                             // in words of 16 bits, as are these
    logic [6:0]  b_l3_reg, b_l4_reg;
    logic [14:0] b_ip_len_reg, b_l4_len_reg;
    logic [13:0] b_frag_reg;
    logic [15:0] b_id_reg, b_flags_reg, b_ip_base_reg, b_l4_base_reg, b_pseudo_reg;
    logic [31:0] b_seq_reg;
    always_ff @(posedge clk) begin
        a_valid_reg <= take;
        if (take) begin
            a_meta_reg <= s_meta;
            a_edit_reg <= s_edit;
            a_sum_reg  <= s_sum;
            a_drop_reg <= s_drop;
            a_req_reg  <= ctx_req;
            a_ctx_reg  <= ctx;
        end
        b_valid_reg   <= a_valid_reg;
        c_valid_reg   <= b_valid_reg;
        if (take != left) inside_reg <= take ? inside_reg + 4'd1 : inside_reg - 4'd1;
        if (rst) begin
            a_valid_reg <= 1'b0;
            b_valid_reg <= 1'b0;
            c_valid_reg <= 1'b0;
            inside_reg  <= '0;
        end
        if (a_valid_reg) begin
            b_meta_reg    <= a_meta_reg;
            b_beats_reg   <= a_edit_reg[E_BEATS +: 12];
            b_data_reg    <= data_beats[11:0];
            b_padded_reg  <= padded;
            b_slot_reg    <= a_edit_reg[E_SLOT +: SLOT_W];
            b_csum_reg    <= a_edit_reg[E_CSUM];
            b_tag_reg     <= a_edit_reg[E_TAG];
            b_tci_reg     <= a_edit_reg[E_TCI +: 16];
            b_field_reg   <= cut ? {1'b0, l4} + (tcp ? 9'd16 : 9'd6)
                                 : {1'b0, a_edit_reg[E_START +: 8]} + {1'b0, a_edit_reg[E_FIELD +: 8]};
            b_sum_reg     <= a_sum_reg;
            b_drop_reg    <= a_drop_reg;
            b_cut_reg     <= cut;
            b_six_reg     <= six;
            b_tcp_reg     <= tcp;
            b_ufo_reg     <= ufo;
            b_partial_reg <= a_req_reg[R_PARTIAL];
            b_hdr_reg     <= a_req_reg[R_HDR +: 8];
            b_l3_reg      <= l3[7:1];
            b_l4_reg      <= l4[7:1];
            b_ip_len_reg  <= bare - {7'd0, l3} - (six ? 15'd40 : 15'd0);
            b_l4_len_reg  <= bare - {7'd0, l4};
            b_id_reg      <= (a_req_reg[R_FIXED] || ufo) ? id_in : id_in + a_edit_reg[E_NUMBER +: 16];
            b_frag_reg    <= {!final_one, offset[15:3]};
            b_seq_reg     <= seq_in + {14'd0, offset};
            // FIN and PSH belong to the last segment, CWR to the first
            b_flags_reg   <= flags_in & ~{8'd0, !first, 3'd0, !final_one, 2'd0, !final_one};
            b_ip_base_reg <= a_ctx_reg[C_IP_SUM +: 16];
            b_pseudo_reg  <= a_ctx_reg[C_PSEUDO +: 16];
            b_l4_base_reg <= a_ctx_reg[C_L4_SUM +: 16];
        end
    end

    // ---- stage c: the sums
    logic        c_cut_reg, c_six_reg, c_tcp_reg, c_ufo_reg, c_partial_reg, c_csum_reg, c_tag_reg;
    logic [11:0] c_beats_reg, c_data_reg;
    logic [14:0] c_end_reg, c_wire_reg;
    logic [SLOT_W-1:0] c_slot_reg;
    logic [15:0] c_tci_reg;
    logic [8:0]  c_field_reg;
    logic [7:0]  c_hdr_reg;
    logic [6:0]  c_l3_reg, c_l4_reg;
    logic [14:0] c_ip_len_reg, c_l4_len_reg;
    logic [13:0] c_frag_reg;
    logic [15:0] c_id_reg, c_flags_reg;
    logic [31:0] c_seq_reg;
    logic [18:0] c_ip_sum_reg, c_l4_sum_reg;
    logic [18:0] l4_sum;
    always @* begin
        if (!b_cut_reg)         l4_sum = {3'd0, b_sum_reg};
        else if (b_partial_reg) l4_sum = {3'd0, b_pseudo_reg} + {4'd0, b_l4_len_reg};
        else                    l4_sum = {3'd0, b_l4_base_reg} + {4'd0, b_l4_len_reg} + {3'd0, b_sum_reg}
                                       + (b_tcp_reg ? {3'd0, b_seq_reg[31:16]} + {3'd0, b_seq_reg[15:0]}
                                                      + {3'd0, b_flags_reg}
                                                    : {4'd0, b_l4_len_reg});
    end
    always_ff @(posedge clk) begin
        if (b_valid_reg) begin
            c_meta_reg    <= b_meta_reg;
            c_drop_reg    <= b_drop_reg;
            c_beats_reg   <= b_beats_reg;
            c_data_reg    <= b_data_reg;
            c_end_reg     <= b_padded_reg - 15'd1;
            c_wire_reg    <= b_padded_reg + 15'd24;          // preamble 8, FCS 4, inter-frame gap 12
            c_slot_reg    <= b_slot_reg;
            c_csum_reg    <= b_csum_reg;
            c_tag_reg     <= b_tag_reg;
            c_tci_reg     <= b_tci_reg;
            c_field_reg   <= b_field_reg;
            c_cut_reg     <= b_cut_reg;
            c_six_reg     <= b_six_reg;
            c_tcp_reg     <= b_tcp_reg;
            c_ufo_reg     <= b_ufo_reg;
            c_partial_reg <= b_partial_reg;
            c_hdr_reg     <= b_hdr_reg;
            c_l3_reg      <= b_l3_reg;
            c_l4_reg      <= b_l4_reg;
            c_ip_len_reg  <= b_ip_len_reg;
            c_l4_len_reg  <= b_l4_len_reg;
            c_id_reg      <= b_id_reg;
            c_frag_reg    <= b_frag_reg;
            c_flags_reg   <= b_flags_reg;
            c_seq_reg     <= b_seq_reg;
            c_ip_sum_reg  <= {3'd0, b_ip_base_reg} + {4'd0, b_ip_len_reg} + {3'd0, b_id_reg}
                           + (b_ufo_reg ? {5'd0, b_frag_reg} : 19'd0);
            c_l4_sum_reg  <= l4_sum;
        end
    end

    // ---- out: the patches
    function automatic [15:0] fold(input [18:0] sum);
        logic [16:0] once;
        once = {1'b0, sum[15:0]} + {14'd0, sum[18:16]};
        fold = once[15:0] + {15'd0, once[16]};
    endfunction
    wire [15:0] l4_folded = fold(c_l4_sum_reg);
    wire [15:0] plain     = ~l4_folded;
    // 0 says "no checksum" in UDP; a completed one is never 0, a segment's of TCP may be
    wire [15:0] csum = (c_cut_reg && c_partial_reg) ? l4_folded
                     : (plain == 16'd0 && !(c_cut_reg && c_tcp_reg)) ? 16'hffff : plain;
    wire        v4    = c_cut_reg && !c_six_reg;
    logic [PATCH_W-1:0] patch;
    always @* begin
        patch = '0;
        patch[P_HDR +: 8]      = c_cut_reg ? c_hdr_reg : 8'd0;
        patch[P_L3 +: 7]       = c_l3_reg;
        patch[P_L4 +: 7]       = c_l4_reg;
        patch[P_EN_LEN]        = v4;
        patch[P_LEN +: 15]     = c_ip_len_reg;
        patch[P_EN_ID]         = c_cut_reg;             // IPv6 has its payload length there
        patch[P_ID +: 16]      = c_six_reg ? {1'b0, c_ip_len_reg} : c_id_reg;
        patch[P_EN_FRAG]       = c_cut_reg && c_ufo_reg;
        patch[P_FRAG +: 14]    = c_frag_reg;
        patch[P_EN_IPSUM]      = v4;
        patch[P_IPSUM +: 16]   = ~fold(c_ip_sum_reg);
        patch[P_EN_SEQ]        = c_cut_reg && !c_ufo_reg; // UDP has its length there
        patch[P_SEQ +: 16]     = c_tcp_reg ? c_seq_reg[31:16] : {1'b0, c_l4_len_reg};
        patch[P_EN_TCP]        = c_cut_reg && c_tcp_reg;
        patch[P_SEQ_LOW +: 16] = c_seq_reg[15:0];
        patch[P_FLAGS +: 16]   = c_flags_reg;
        patch[P_EN_FIELD]      = c_cut_reg ? !c_ufo_reg : c_csum_reg;
        patch[P_AT +: 9]       = c_field_reg;
        patch[P_FIELD +: 16]   = csum;
        patch[P_BEATS +: 12]   = c_beats_reg;
        patch[P_SLOT +: SLOT_W] = c_slot_reg;
        patch[P_TAG]           = c_tag_reg;
        patch[P_TCI +: 16]     = c_tci_reg;
        patch[P_END +: 15]     = c_end_reg;
        patch[P_DATA +: 12]    = c_data_reg;
        patch[P_WIRE +: 15]    = c_wire_reg;
        patch[P_DROP]          = c_drop_reg;
    end

    /* verilator lint_off PINCONNECTEMPTY */ // room is reserved
    rw_fifo #(.W(META_W + PATCH_W), .DEPTH(8)) out (
        .clk(clk), .rst(rst), .count(count), .s_valid(c_valid_reg), .s_ready(),
        .s_data({c_meta_reg, patch}), .m_valid(m_valid), .m_ready(m_ready), .m_data({m_meta, m_patch})
    );
    /* verilator lint_on PINCONNECTEMPTY */

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(frames_are_counted, inside_reg == count + {3'd0, a_valid_reg} + {3'd0, b_valid_reg} + {3'd0, c_valid_reg})
    end
endmodule
