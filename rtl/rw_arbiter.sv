// Round-robin arbiter: the first request after the one that was served last.
// Rate: a grant a cycle. Latency: none (combinational); `accept` makes the granted one the last served.
`include "rw_check.svh"
module rw_arbiter #(
    parameter N  = 4,                          // requesters
    parameter NW = (N > 1) ? $clog2(N) : 1     // bits of an index; derived
) (
    input  logic          clk,
    input  logic          rst,
    input  logic [N-1:0]  request,
    output logic          grant_valid,
    output logic [NW-1:0] grant,
    input  logic          accept
);
    logic [N-1:0] after_reg;                   // requesters behind the last one served

    wire [N-1:0] first  = request & after_reg;
    wire [N-1:0] pick  = (first != '0) ? first : request;

    integer i;
    always @* begin
        grant = '0;
        for (i = N - 1; i >= 0; i = i - 1)
            if (pick[i]) grant = i[NW-1:0];
    end
    assign grant_valid = request != '0;

    integer k;
    always_ff @(posedge clk) begin
        if (accept && grant_valid)
            for (k = 0; k < N; k = k + 1) after_reg[k] <= k > {{(32-NW){1'b0}}, grant};
        if (rst) after_reg <= '0;
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(grant_goes_to_a_requester, !grant_valid || request[grant])
    end
endmodule
