// Egress: reads whole frames out of the frame buffer, segments behind their header from its slot, puts the edited fields
// over them, inserts a tag, pads short ones to 60 bytes, and works out what each costs on the wire. A frame that is not to
// be sent (condemned, failed, or of a queue in reset) goes on as a record without beats, so that completions stay in order.
// Rate: a beat a cycle, without a gap inside or between frames. Latency: 4 cycles to the first beat.
`include "rw_check.svh"
`include "rw_widths.svh"
module rw_egress #(
    parameter DATA_W   = 512,                           // width of a beat, bits
    parameter BB       = $clog2(DATA_W / 8),            // bits of an offset in a beat; derived
    parameter QUEUES   = 1,                             // transmit queues
    parameter QW       = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter BUF_LOG2 = 10,                            // beats of the frame buffer, power of two
    parameter META_W   = `RW_META_W(QW),
    parameter PATCH_W  = `RW_PATCH_W,
    parameter SLOT_W   = `RW_SLOT_W,                    // bits of a header slot's number
    parameter ROW_W    = SLOT_W + 8 - BB                // bits of a row of the header slots; derived
) (
    input  logic                clk,
    input  logic                rst,
    input  logic [QUEUES-1:0]   q_resetting,
    input  logic [53:0]         byte_time,              // 2^-40 ns
    // frames in the buffer, in order
    input  logic                s_meta_valid,
    output logic                s_meta_ready,
    input  logic [META_W-1:0]   s_meta,
    input  logic [PATCH_W-1:0]  s_patch,
    // frame buffer
    output logic                rd_en,
    output logic [BUF_LOG2-1:0] rd_addr,
    input  logic [DATA_W-1:0]   rd_data,                // a cycle later
    // header slots
    output logic                header_en,
    output logic [ROW_W-1:0]    header_row,
    input  logic [DATA_W-1:0]   header_data,            // a cycle later
    output logic                free_valid,             // the packet's last segment is through
    output logic [SLOT_W-1:0]   free_slot,
    output logic                buf_release,
    output logic [BUF_LOG2:0]   buf_beats,
    // frames: a record each ...
    output logic                m_info_valid,
    input  logic                m_info_ready,
    output logic [META_W-1:0]   m_info_meta,
    output logic [69:0]         m_info_time,            // on the wire, all counted; 2^-40 ns
    // ... and the beats of those to be sent
    output logic                m_beat_valid,
    input  logic                m_beat_ready,
    output logic [DATA_W-1:0]   m_beat_data,
    output logic [BB-1:0]       m_beat_end,             // last byte of the beat that counts
    output logic                m_beat_last,
    output logic                idle,
    output logic                awake
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    localparam BYTES = DATA_W / 8;

    wire [QW-1:0] queue  = s_meta[F_QUEUE +: QW];
    wire [3:0]    status = s_meta[F_STATUS +: 4];
    wire          whole     = status == STATUS_OK[3:0];
    wire          in_buffer = whole || s_patch[P_DROP];
    wire          aborted   = whole && q_resetting[queue];
    wire          send      = whole && !aborted;
    wire          tag       = s_patch[P_TAG];
    wire [8:0]    hdr    = {s_patch[P_HDR +: 8], 1'b0};
    wire [11:0]   hdr_beats = {3'd0, hdr} >> BB;        // all header
    wire [14:0]   last_byte = s_patch[P_END +: 15];
    wire [14:0]   last_beat = last_byte >> BB;

    // ---- issue one beat a cycle
    logic          mid_reg;                             // inside a frame of several beats
    logic [11:0]   beat_reg;                            // beats issued of it
    logic [BUF_LOG2-1:0] addr_reg;
    logic [3:0]    beats_reg, infos_reg;                // of beats and of records, how many have been issued, and not taken
    logic [3:0]    beat_count, info_count;              // ... and are in their FIFO
    logic          r_valid_reg, r_last_reg, r_pad_reg, r_tag_reg, p_valid_reg, p_last_reg, p_tag_reg;
    logic [BB-1:0] r_end_reg, p_end_reg;
    logic [6:0]    r_beat_reg, p_beat_reg;              // number of the beat in its frame; stays at 127
    logic [BB:0]   r_header_reg;                        // bytes of it that come from the header slot
    logic [15:0]   r_tci_reg, p_tci_reg;
    localparam WB     = BB - 1;                         // bits of a word's place in a beat
    localparam FIELDS = 7;
    logic [FIELDS-1:0]    r_hits_reg;                   // edited words that lie in this beat,
    logic [FIELDS*WB-1:0] r_lanes_reg;                  // ... where in it,
    logic [FIELDS*16-1:0] r_values_reg;                 // ... and what they become
    logic [1:0]           r_sum_hits_reg;               // the same of the checksum's bytes, which may lie at an odd place
    logic [2*BB-1:0]      r_sum_lanes_reg;
    logic [15:0]          r_sum_reg;
    logic          i1_valid_reg, i2_valid_reg;
    logic          beat_ready, info_ready;

    wire beat_room = beats_reg != 4'd9;
    wire info_room = infos_reg != 4'd9;
    wire start = s_meta_valid && !mid_reg && info_room && (beat_room || !send);
    wire issue = (start && send) || (mid_reg && beat_room);
    wire [11:0] beat_now = mid_reg ? beat_reg : 12'd0;
    wire last  = beat_now == last_beat[11:0];
    wire pad   = beat_now >= s_patch[P_DATA +: 12];
    wire all_header  = beat_now < hdr_beats;
    wire some_header = beat_now == hdr_beats && hdr[BB-1:0] != '0;
    // where the fields of the header lie: in which beat, and where in it
    wire [FIELDS-1:0] s_fields = {s_patch[P_EN_TCP], s_patch[P_EN_TCP], s_patch[P_EN_SEQ], s_patch[P_EN_IPSUM],
                                  s_patch[P_EN_FRAG], s_patch[P_EN_ID], s_patch[P_EN_LEN]};
    wire [FIELDS*8-1:0] words = {{1'b0, s_patch[P_L4 +: 7]} + 8'd6, {1'b0, s_patch[P_L4 +: 7]} + 8'd3,
                                 {1'b0, s_patch[P_L4 +: 7]} + 8'd2, {1'b0, s_patch[P_L3 +: 7]} + 8'd5,
                                 {1'b0, s_patch[P_L3 +: 7]} + 8'd3, {1'b0, s_patch[P_L3 +: 7]} + 8'd2,
                                 {1'b0, s_patch[P_L3 +: 7]} + 8'd1};
    wire [9:0]      sum_high = {1'b0, s_patch[P_AT +: 9]};
    wire [9:0]      sum_low  = sum_high + 10'd1;
    wire [9-BB:0]   beat_place = (beat_now >> (10 - BB) != 12'd0) ? {(10-BB){1'b1}} : beat_now[9-BB:0]; // far: no field
    logic [FIELDS-1:0]    hits;
    logic [FIELDS*WB-1:0] lanes;
    genvar g;
    generate
        for (g = 0; g < FIELDS; g = g + 1) begin : g_field
            assign hits[g]           = {1'b0, words[g*8+WB +: 8-WB]} == beat_place;
            assign lanes[g*WB +: WB] = words[g*8 +: WB];
        end
    endgenerate
    assign s_meta_ready = (start && !send) || (issue && last);
    assign rd_en   = issue && !pad && !all_header;
    assign rd_addr = addr_reg;
    assign header_en  = issue && (all_header || some_header);
    assign header_row = {s_patch[P_SLOT +: SLOT_W], beat_now[7-BB:0]};
    wire   skip        = start && in_buffer && !send;
    wire [15:0] stored = {4'd0, s_patch[P_BEATS +: 12]};
    wire   unused      = &{1'b0, stored[15:BUF_LOG2+1], last_beat[14:12]}; // a frame is shorter than the buffer
    wire   beat_taken = m_beat_valid && m_beat_ready;
    wire   info_taken = m_info_valid && m_info_ready;
    assign idle = !start && !issue && !r_valid_reg && !p_valid_reg && !i1_valid_reg && !i2_valid_reg
               && !buf_release && !free_valid;
    assign awake = !idle || beat_taken || info_taken;

    always_ff @(posedge clk) begin
        if (issue) begin
            mid_reg  <= !last;
            beat_reg <= beat_now + 12'd1;
        end
        free_valid  <= s_meta_ready && s_patch[P_EN_ID] && s_meta[F_LAST];
        free_slot   <= s_patch[P_SLOT +: SLOT_W];
        buf_release <= skip || (issue && last);
        buf_beats   <= stored[BUF_LOG2:0];
        if (skip)       addr_reg <= addr_reg + stored[BUF_LOG2-1:0];
        else if (rd_en) addr_reg <= addr_reg + 1'b1;
        r_valid_reg  <= issue;
        if (issue) begin
            r_last_reg   <= last;
            r_pad_reg    <= pad;
            r_end_reg    <= last ? last_byte[BB-1:0] : {BB{1'b1}};
            r_beat_reg   <= (beat_now > 12'd127) ? 7'd127 : beat_now[6:0];
            r_header_reg <= all_header ? BYTES[BB:0] : some_header ? {1'b0, hdr[BB-1:0]} : {(BB+1){1'b0}};
            r_tag_reg    <= tag;
            r_tci_reg    <= s_patch[P_TCI +: 16];
            r_hits_reg   <= hits & s_fields;
            r_lanes_reg  <= lanes;
            r_values_reg <= {s_patch[P_FLAGS +: 16], s_patch[P_SEQ_LOW +: 16], s_patch[P_SEQ +: 16], s_patch[P_IPSUM +: 16],
                             2'd0, s_patch[P_FRAG +: 14], s_patch[P_ID +: 16], 1'b0, s_patch[P_LEN +: 15]};
            r_sum_hits_reg  <= {2{s_patch[P_EN_FIELD]}} & {sum_low[9:BB] == beat_place, sum_high[9:BB] == beat_place};
            r_sum_lanes_reg <= {sum_low[BB-1:0], sum_high[BB-1:0]};
            r_sum_reg       <= s_patch[P_FIELD +: 16];
        end
        if (issue != beat_taken) beats_reg <= issue ? beats_reg + 4'd1 : beats_reg - 4'd1;
        if (start != info_taken) infos_reg <= start ? infos_reg + 4'd1 : infos_reg - 4'd1;
        if (rst) begin
            beats_reg   <= '0;
            infos_reg   <= '0;
            mid_reg     <= 1'b0;
            free_valid  <= 1'b0;
            buf_release <= 1'b0;
            addr_reg    <= '0;
            r_valid_reg <= 1'b0;
        end
    end

    // ---- put header and payload together, and the edited fields over them
    logic [DATA_W-1:0] edited, p_data_reg;
    wire  [DATA_W-1:0] from_payload = {DATA_W{1'b1}} << {r_header_reg, 3'd0};
    logic [DATA_W-1:0] from_edit, edits;                // no two fields share a byte
    integer w, f;
    always @* begin
        from_edit = '0;
        edits     = '0;
        w         = 0;                                  // also where no field is, or it is a latch
        for (f = 0; f < FIELDS; f = f + 1)              // most beats have no field: a simulator passes it all by
            if (r_hits_reg[f])
                for (w = 0; w < BYTES / 2; w = w + 1)
                    if ({{(32-WB){1'b0}}, r_lanes_reg[f*WB +: WB]} == w) begin
                        from_edit[w*16 +: 16] = 16'hffff;
                        edits[w*16 +: 16]     = edits[w*16 +: 16] | {r_values_reg[f*16 +: 8], r_values_reg[f*16+8 +: 8]};
                    end
        for (f = 0; f < 2; f = f + 1)
            if (r_sum_hits_reg[f])
                for (w = 0; w < BYTES; w = w + 1)
                    if ({{(32-BB){1'b0}}, r_sum_lanes_reg[f*BB +: BB]} == w) begin
                        from_edit[w*8 +: 8] = 8'hff;
                        edits[w*8 +: 8]     = edits[w*8 +: 8] | r_sum_reg[8 - f*8 +: 8];
                    end
        edited = ((r_pad_reg ? {DATA_W{1'b0}} : rd_data) & from_payload & ~from_edit)
               | (header_data & ~from_payload & ~from_edit) | edits;
    end

    // ---- insert the tag behind the two addresses: all that follows moves on by four bytes
    logic [31:0]       carry_reg;                       // what moves on into the next beat
    logic [DATA_W-1:0] with_tag;
    wire  [31:0]       tag_bytes = {p_tci_reg[7:0], p_tci_reg[15:8], 16'h0081};
    generate
        if (DATA_W == 64) begin : g_tag_narrow
            assign with_tag = !p_tag_reg || p_beat_reg == 7'd0 ? p_data_reg
                          : p_beat_reg == 7'd1 ? {tag_bytes, p_data_reg[31:0]} : {p_data_reg[31:0], carry_reg};
        end else begin : g_tag_wide
            wire [DATA_W-1:0] moved = {p_data_reg[DATA_W-33:0], carry_reg};
            if (DATA_W <= 128) begin : g_first_beat
                assign with_tag = !p_tag_reg ? p_data_reg : p_beat_reg != 7'd0 ? moved : {tag_bytes, p_data_reg[95:0]};
            end else begin : g_first_beat
                assign with_tag = !p_tag_reg ? p_data_reg : p_beat_reg != 7'd0 ? moved
                              : {p_data_reg[DATA_W-33:96], tag_bytes, p_data_reg[95:0]};
            end
        end
    endgenerate

    always_ff @(posedge clk) begin
        p_valid_reg <= r_valid_reg;
        p_last_reg  <= r_last_reg;
        p_end_reg   <= r_end_reg;
        p_beat_reg  <= r_beat_reg;
        p_tag_reg   <= r_tag_reg;
        p_tci_reg   <= r_tci_reg;
        p_data_reg  <= edited;
        if (p_valid_reg) carry_reg <= p_data_reg[DATA_W-1 -: 32];
        if (rst) p_valid_reg <= 1'b0;
    end

    rw_fifo #(.W(DATA_W + BB + 1), .DEPTH(8)) beats (
        .clk(clk), .rst(rst), .count(beat_count),
        .s_valid(p_valid_reg), .s_ready(beat_ready), .s_data({with_tag, p_end_reg, p_last_reg}),
        .m_valid(m_beat_valid), .m_ready(m_beat_ready), .m_data({m_beat_data, m_beat_end, m_beat_last})
    );

    // ---- the frame's time on the wire: two halves of a product, then their sum
    wire [14:0] wire_bytes = s_patch[P_WIRE +: 15];
    logic [META_W-1:0] i1_meta_reg, i2_meta_reg;
    logic [42:0] low_reg, high_reg;
    logic [69:0] time_reg;
    always_ff @(posedge clk) begin
        i1_valid_reg <= start;
        i1_meta_reg  <= {s_meta[META_W-1:F_LEN], aborted ? STATUS_ABORTED[3:0] : status, s_meta[F_STATUS-1:0]};
        if (start) begin
            low_reg  <= {28'd0, wire_bytes} * {16'd0, byte_time[26:0]};
            high_reg <= {28'd0, wire_bytes} * {16'd0, byte_time[53:27]};
        end
        i2_valid_reg <= i1_valid_reg;
        i2_meta_reg  <= i1_meta_reg;
        if (i1_valid_reg) time_reg <= {27'd0, low_reg} + {high_reg, 27'd0};
        if (rst) begin
            i1_valid_reg <= 1'b0;
            i2_valid_reg <= 1'b0;
        end
    end
    rw_fifo #(.W(META_W + 70), .DEPTH(8)) infos (
        .clk(clk), .rst(rst), .count(info_count),
        .s_valid(i2_valid_reg), .s_ready(info_ready), .s_data({i2_meta_reg, time_reg}),
        .m_valid(m_info_valid), .m_ready(m_info_ready), .m_data({m_info_meta, m_info_time})
    );

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(beats_are_counted, beats_reg == beat_count + {3'd0, r_valid_reg} + {3'd0, p_valid_reg})
        `RW_CHECK(records_are_counted, infos_reg == info_count + {3'd0, i1_valid_reg} + {3'd0, i2_valid_reg})
        `RW_CHECK(beat_finds_room, !p_valid_reg || beat_ready)
        `RW_CHECK(record_finds_room, !i2_valid_reg || info_ready)
    end
endmodule
