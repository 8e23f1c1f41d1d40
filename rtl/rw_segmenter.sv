// Segmenter: says of a queue's oldest packet what its next wire frame is. A packet that is to be cut is opened first,
// which takes a header slot; then each frame that goes advances it by one segment. A packet of which a read has failed,
// or whose queue is being reset, is closed by one more record without bytes.
// Rate: a frame a cycle, an opening a cycle. Latency: 1 cycle to open a packet.
`include "rw_check.svh"
`include "rw_widths.svh"
module rw_segmenter #(
    parameter DATA_W = 512,                             // width of a beat, bits
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter SLOT_W = `RW_SLOT_W                       // bits of a header slot's number
) (
    input  logic              clk,
    input  logic              rst,
    input  logic [QUEUES-1:0] q_resetting,
    // the oldest packet of a queue that may send: one in reset may not, but for a packet that has begun
    input  logic              s_valid,
    input  logic [QW-1:0]     s_queue,
    input  logic              s_cut,                    // to be cut, and not condemned
    input  logic              s_type,                   // to be cut, if it is not condemned
    input  logic [18:0]       s_len,
    input  logic [8:0]        s_hdr,                    // even
    input  logic [13:0]       s_mss,
    input  logic              s_tag,                    // a tag is to be inserted
    // its next frame
    output logic              m_ready,                  // it is known
    output logic              m_wants_slot,             // ... but for a header slot, of which there is none
    output logic              m_first,
    output logic              m_last,
    output logic              m_close,                  // no frame, but the end of a packet that was given up
    output logic [14:0]       m_len,                    // bytes on the wire, with the tag, not padded
    output logic [14:0]       m_read,                   // bytes to read
    output logic [14:0]       m_stored,                 // bytes in the frame buffer, from the start of its first beat;
                                                        // of a condemned packet any number
    output logic [17:0]       m_offset,                 // payload bytes before
    output logic [15:0]       m_number,                 // segments before
    output logic [SLOT_W-1:0] m_slot,
    input  logic              go,
    output logic [QUEUES-1:0] q_open,                   // a packet has begun
    output logic [QUEUES-1:0] q_close,                  // ... and is to be given up
    // header slots
    output logic              open_valid,
    output logic [SLOT_W-1:0] open_slot,
    input  logic              free_valid,
    input  logic [SLOT_W-1:0] free_slot,
    output logic              free_any,
    // a read of the packet in a slot has failed
    input  logic              fail_valid,
    input  logic [QW-1:0]     fail_queue,
    input  logic [SLOT_W-1:0] fail_slot,
    output logic              idle
);
    localparam SLOTS = 1 << SLOT_W;
    localparam BB    = $clog2(DATA_W / 8);

    logic [QUEUES-1:0] open_reg, close_reg;
    logic              first_reg  [0:QUEUES-1];
    logic [14:0]       seg_reg    [0:QUEUES-1];         // payload bytes of the next segment
    logic [14:0]       len_reg    [0:QUEUES-1];         // its bytes on the wire
    logic [14:0]       stored_reg [0:QUEUES-1];         // ... and in the frame buffer
    logic [18:0]       left_reg   [0:QUEUES-1];         // payload bytes from the next segment on
    logic [17:0]       offset_reg [0:QUEUES-1];
    logic [15:0]       number_reg [0:QUEUES-1];
    logic [SLOT_W-1:0] slot_reg   [0:QUEUES-1];
    logic [SLOTS-1:0]  free_reg;

    wire [SLOTS-1:0] lowest = free_reg & (~free_reg + 1'b1);    // the first that is free, alone
    wire [SLOTS-1:0] back   = free_valid ? {{(SLOTS-1){1'b0}}, 1'b1} << free_slot : '0;
    integer f;
    always @* begin
        open_slot = '0;
        for (f = 0; f < SLOTS; f = f + 1) open_slot = open_slot | ({SLOT_W{lowest[f]}} & f[SLOT_W-1:0]);
    end
    assign free_any = free_reg != '0;

    wire        opened  = open_reg[s_queue];
    wire [14:0] seg     = seg_reg[s_queue];
    wire [14:0] hdr     = {6'd0, s_hdr[8:1], 1'b0};
    wire        first   = first_reg[s_queue];
    assign m_ready      = !s_cut || opened;
    assign m_wants_slot = s_valid && s_cut && !opened && !free_any;
    assign m_first      = !s_cut || first;
    assign m_close      = s_cut && opened && close_reg[s_queue];
    assign m_last       = !s_cut || m_close || left_reg[s_queue] == {4'd0, seg};
    wire [14:0] bare    = s_cut ? hdr + seg : s_len[14:0];
    assign m_len        = s_cut ? len_reg[s_queue] : s_len[14:0] + {12'd0, s_tag, 2'd0};
    assign m_read       = (s_cut && !first) ? seg : bare;
    assign m_stored     = s_type ? stored_reg[s_queue] : s_len[14:0];
    assign m_offset     = s_cut ? offset_reg[s_queue] : 18'd0;
    assign m_number     = s_cut ? number_reg[s_queue] : 16'd0;
    assign m_slot       = slot_reg[s_queue];
    assign q_open       = open_reg;
    assign q_close      = close_reg;

    assign open_valid = s_valid && s_cut && !opened && free_any;
    assign idle       = !open_valid;

    wire [18:0] payload = s_len - {4'd0, hdr};
    wire        unused  = &{1'b0, s_hdr[0]};
    wire [18:0] rest    = opened ? left_reg[s_queue] - {4'd0, seg} : payload;
    wire        ends    = rest < {5'd0, s_mss};
    // header and tag, and what of the header shares a beat with payload
    wire [13:0] front_words = hdr[14:1] + {12'd0, s_tag, 1'b0};
    wire [14:0] front   = {front_words, 1'b0};
    wire [14:0] part    = {{(15-BB){1'b0}}, s_hdr[BB-1:1], 1'b0};
    wire        failed  = fail_valid && open_reg[fail_queue] && slot_reg[fail_queue] == fail_slot;

    integer k;
    always_ff @(posedge clk) begin
        if (open_valid || (go && s_cut)) begin
            seg_reg[s_queue]    <= ends ? rest[14:0]         : {1'b0, s_mss};
            len_reg[s_queue]    <= ends ? rest[14:0] + front : {1'b0, s_mss} + front;
            stored_reg[s_queue] <= ends ? rest[14:0] + part  : {1'b0, s_mss} + part;
            left_reg[s_queue]   <= rest;
            first_reg[s_queue]  <= !opened;
            offset_reg[s_queue] <= opened ? offset_reg[s_queue] + {4'd0, s_mss} : 18'd0;
            number_reg[s_queue] <= opened ? number_reg[s_queue] + 16'd1 : 16'd0;
        end
        if (open_valid) slot_reg[s_queue] <= open_slot;
        free_reg <= (free_reg & ~({SLOTS{open_valid}} & lowest)) | back;
        for (k = 0; k < QUEUES; k = k + 1) begin
            if (open_valid && s_queue == k[QW-1:0]) open_reg[k] <= 1'b1;
            if ((failed && fail_queue == k[QW-1:0]) || (open_reg[k] && q_resetting[k])) close_reg[k] <= 1'b1;
            if (go && s_cut && m_last && s_queue == k[QW-1:0]) begin
                open_reg[k]  <= 1'b0;
                close_reg[k] <= 1'b0;
            end
        end
        if (rst) begin
            open_reg  <= '0;
            close_reg <= '0;
            free_reg  <= '1;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(a_slot_is_freed_once, !free_valid || !free_reg[free_slot])
        `RW_CHECK(a_frame_goes_only_when_known, !go || m_ready)
    end
endmodule
