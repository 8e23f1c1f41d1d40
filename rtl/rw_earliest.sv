// The earliest of the times that count; all ones if none does.
// Without an always @* that reads what it writes: where that is a port, Icarus runs such a block for ever.
// Rate: each cycle. Latency: none.
module rw_earliest #(
    parameter N = 1,                                    // times
    parameter W = 64                                    // bits of a time
) (
    input  logic [N-1:0]   valid,                       // it counts
    input  logic [N*W-1:0] times,
    output logic [W-1:0]   earliest
);
    wire [W-1:0] least [0:N];                           // of those before
    assign least[0] = '1;
    genvar n;
    generate
        for (n = 0; n < N; n = n + 1) begin : g_time
            assign least[n + 1] = (valid[n] && times[n*W +: W] < least[n]) ? times[n*W +: W] : least[n];
        end
    endgenerate
    assign earliest = least[N];
endmodule
