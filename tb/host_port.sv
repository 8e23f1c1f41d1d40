// The host's other paths to the device: posted register writes, register reads, interrupts, and the host's waking.
//
// Register accesses wait in hostmem.c for their time and go to AXI4-Lite in order: writes back to back, a read once
// the writes before it are answered, and what follows it once it is. The host's Python is woken by `host_wake` alone,
// which toggles at an edge when an interrupt has come, a register answer is there, a frame asks for it, or the time
// is reached at which the host wanted to be woken.
`include "macros.svh"

module host_port #(
    parameter QUEUES = 1
) (
    input  wire              clk,
    input  wire              rst,
    input  wire [63:0]       now_ps,       // of this edge
    input  wire [QUEUES-1:0] irq,          // a pulse an event
    input  wire              frame_event,  // the wire's sink asks for the host
    output reg               host_wake,
    output wire              idle,         // no register access under way
    output reg               pause,        // what the link partner stops
    output reg  [7:0]        pfc,

    output reg  [15:0]       m_axil_awaddr,
    output wire [2:0]        m_axil_awprot,
    output reg               m_axil_awvalid,
    input  wire              m_axil_awready,
    output reg  [31:0]       m_axil_wdata,
    output wire [3:0]        m_axil_wstrb,
    output reg               m_axil_wvalid,
    input  wire              m_axil_wready,
    input  wire [1:0]        m_axil_bresp,
    input  wire              m_axil_bvalid,
    output wire              m_axil_bready,
    output reg  [15:0]       m_axil_araddr,
    output wire [2:0]        m_axil_arprot,
    output reg               m_axil_arvalid,
    input  wire              m_axil_arready,
    input  wire [31:0]       m_axil_rdata,
    input  wire [1:0]        m_axil_rresp,
    input  wire              m_axil_rvalid,
    output wire              m_axil_rready
);

    localparam MAX_WRITES = 8;                                       // sent and not answered
    localparam POST_WRITE = 16, POST_READ = 17, WAKE = 18, FLOW = 20;  // bits of what hm_poll returns
    localparam [31:0] CAN_WRITE = 1, CAN_READ = 2, FRAME_EVENT = 4;  // and takes

`ifdef VERILATOR
    import "DPI-C" function int unsigned hm_poll(input longint unsigned now_ps, input int unsigned flags);
    import "DPI-C" function int unsigned hm_post_data();
    import "DPI-C" function void hm_register_done(
        input longint unsigned now_ps, input int unsigned is_read, input int unsigned data, input int unsigned response);
    import "DPI-C" function void hm_interrupts(input longint unsigned now_ps, input int unsigned vectors);
`endif

    assign m_axil_awprot = 3'b000;
    assign m_axil_wstrb = 4'b1111;
    assign m_axil_bready = 1'b1;
    assign m_axil_arprot = 3'b000;
    assign m_axil_rready = 1'b1;

    reg [3:0]  writes;   // without an answer
    reg        reading;  // a read without an answer
    reg [31:0] flags;
    reg [31:0] action;
    reg [31:0] vectors;

    assign idle = writes == 0 && !reading;

    initial host_wake = 0;

    always @(posedge clk) begin
        if (rst) begin
            m_axil_awvalid <= 0;
            m_axil_wvalid <= 0;
            m_axil_arvalid <= 0;
            writes <= 0;
            reading <= 0;
            {pfc, pause} <= 0;
        end else begin
            if (|irq) begin
                vectors = 0;
                vectors[QUEUES-1:0] = irq;
                `HM(interrupts)(now_ps, vectors);
            end
            if (m_axil_bvalid) `HM(register_done)(now_ps, 0, 0, {30'd0, m_axil_bresp});
            if (m_axil_rvalid) `HM(register_done)(now_ps, 1, m_axil_rdata, {30'd0, m_axil_rresp});

            if (m_axil_awready) m_axil_awvalid <= 0;
            if (m_axil_wready) m_axil_wvalid <= 0;
            if (m_axil_arready) m_axil_arvalid <= 0;
            if (m_axil_rvalid) reading <= 0;

            flags = frame_event ? FRAME_EVENT : 0;
            if ((m_axil_awready || !m_axil_awvalid) && (m_axil_wready || !m_axil_wvalid) && !reading
                && writes < MAX_WRITES) flags = flags | CAN_WRITE;
            if (idle) flags = flags | CAN_READ;
            action = `HM(poll)(now_ps, flags);
            if (action[POST_WRITE]) begin
                m_axil_awaddr <= action[15:0];
                m_axil_awvalid <= 1;
                m_axil_wdata <= `HM(post_data)();
                m_axil_wvalid <= 1;
            end
            if (action[POST_READ]) begin
                m_axil_araddr <= action[15:0];
                m_axil_arvalid <= 1;
                reading <= 1;
            end
            if (action[POST_WRITE] != m_axil_bvalid) writes <= action[POST_WRITE] ? writes + 1 : writes - 1;
            {pfc, pause} <= action[FLOW +: 9];
            if (action[WAKE]) host_wake <= !host_wake;

            `CHECK((^irq) !== 1'bx, "irq_known: irq is known")
            `CHECK(!m_axil_bvalid || writes != 0, "axil_b_matched: a write response answers a write")
            `CHECK(!m_axil_rvalid || reading, "axil_r_matched: a read answer answers a read")
        end
    end

endmodule
