// Read engine: turns fragments into AXI read bursts. A burst ends at a 4 KiB boundary or after 256 beats, whichever is
// first, both taken on aligned windows. For each payload burst an entry tells the gatherer what to make of its beats.
// Descriptor reads share the address channel under an id of their own and go first: they are few and all else waits
// for them.
// Rate: a burst a cycle. Latency: 1 cycle.
`include "rw_check.svh"
module rw_read_engine #(
    parameter DATA_W = 512,                             // width of a beat, bits
    parameter BB     = $clog2(DATA_W / 8)               // bits of an offset in a beat; derived
) (
    input  logic          clk,
    input  logic          rst,
    // fragments of frames
    input  logic          s_frag_valid,
    output logic          s_frag_ready,
    input  logic [63:0]   s_frag_addr,
    input  logic [14:0]   s_frag_len,
    input  logic          s_frag_first,
    input  logic          s_frag_last,
    // descriptor reads
    input  logic          s_req_valid,
    output logic          s_req_ready,
    input  logic [63:0]   s_req_addr,                   // aligned to a beat
    input  logic [7:0]    s_req_len,                    // beats - 1
    // what a payload burst brings
    output logic          m_burst_valid,
    input  logic          m_burst_ready,
    output logic [BB-1:0] m_burst_offset,               // of the first byte in the first beat
    output logic [12:0]   m_burst_len,                  // bytes, 1 to 4,096
    output logic          m_burst_first,                // begins a frame
    output logic          m_burst_last,                 // ends a frame
    // AXI read address
    output logic          m_axi_arid,
    output logic [63:0]   m_axi_araddr,
    output logic [7:0]    m_axi_arlen,
    output logic          m_axi_arvalid,
    input  logic          m_axi_arready,
    output logic          stat_read,                    // a payload burst is asked for
    output logic          idle,
    output logic          awake
);
    // the window a burst must stay in: 4 KiB, or 256 beats where that is less
    localparam WB = (DATA_W == 64) ? 11 : 12;
    localparam [12:0] WINDOW = 13'd1 << WB;

    logic        busy_reg;                              // inside a fragment that needs more bursts
    logic [63:0] addr_reg;
    logic [14:0] len_reg;

    wire [63:0] addr = busy_reg ? addr_reg : s_frag_addr;
    wire [14:0] left = busy_reg ? len_reg  : s_frag_len;
    // all from the two in parallel: where the bytes end, seen from the window's start and from the first beat's
    wire [15:0] window_end = {1'b0, left} + {{(16-WB){1'b0}}, addr[WB-1:0]};
    wire [14:0] beat_end   = left + {{(15-BB){1'b0}}, addr[BB-1:0]} - 15'd1;
    wire        fits = window_end <= {3'd0, WINDOW};
    wire [12:0] len  = fits ? left[12:0] : WINDOW - {{(13-WB){1'b0}}, addr[WB-1:0]};
    wire [12:0] beats = fits ? 13'(beat_end >> BB) : {{(13-WB+BB){1'b0}}, ~addr[WB-1:BB]}; // - 1

    wire ar_free = !m_axi_arvalid || m_axi_arready;
    wire go      = s_frag_valid && ar_free && !s_req_valid && m_burst_ready;
    assign s_req_ready    = ar_free;
    assign s_frag_ready   = go && fits;
    assign m_burst_valid  = go;
    assign m_burst_offset = addr[BB-1:0];
    assign m_burst_len    = len;
    assign m_burst_first  = s_frag_first && !busy_reg;
    assign m_burst_last   = s_frag_last && fits;
    assign stat_read      = go;
    assign idle = !m_axi_arvalid && !s_req_valid && !(s_frag_valid && m_burst_ready);
    assign awake = m_axi_arvalid || s_req_valid || s_frag_valid;

    always_ff @(posedge clk) begin
        if (m_axi_arready) m_axi_arvalid <= 1'b0;
        if (ar_free && s_req_valid) begin
            m_axi_arvalid <= 1'b1;
            m_axi_arid    <= 1'b1;
            m_axi_araddr  <= s_req_addr;
            m_axi_arlen   <= s_req_len;
        end
        if (go) begin
            m_axi_arvalid <= 1'b1;
            m_axi_arid    <= 1'b0;
            m_axi_araddr  <= {addr[63:BB], {BB{1'b0}}};
            m_axi_arlen   <= beats[7:0];
            busy_reg      <= !fits;
            // used only if it goes on, which it does where the next window begins
            addr_reg      <= {addr[63:WB] + 1'b1, {WB{1'b0}}};
            len_reg       <= 15'(window_end - {3'd0, WINDOW});
        end
        if (rst) begin
            m_axi_arvalid <= 1'b0;
            busy_reg      <= 1'b0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(burst_stays_in_4k, !go || {1'b0, addr[11:0]} + len <= 13'd4096)
        `RW_CHECK(burst_has_256_beats_at_most, !go || beats[12:8] == '0)
        `RW_CHECK(fragment_has_a_byte, !s_frag_valid || s_frag_len != 15'd0)
    end
endmodule
