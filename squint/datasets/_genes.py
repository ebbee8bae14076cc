"""Cell types, their marker genes and the programmes that tissue switches on, as plain lists.

Symbols are real; how strongly each is expressed is made up (see ``_counts.py``).
"""

# Genes of each cell type. A gene may mark several types; every type also expresses a background of all genes.
MARKERS = {
    "podocyte": "NPHS1 NPHS2 PODXL WT1 SYNPO PTPRO CLIC5 MAFB PLA2R1 TCF21",
    "mesangial": "PIEZO2 ITGA8 POSTN PDGFRB GATA3 REN DES PDGFRA CNN1",
    "glomerular endothelium": "EHD3 EMCN SOST PLAT PECAM1 CDH5 KDR IGFBP5 ENG",
    "parietal epithelium": "CLDN1 CFH VCAM1 KRT19 PAX8 ALDH1A2 PAX2 KRT8 CD24",
    "proximal tubule": "LRP2 CUBN SLC34A1 SLC22A6 SLC22A8 SLC5A2 ALDOB GATM MIOX SLC3A1 PAX8 FXYD2",
    "loop of Henle": "UMOD SLC12A1 CLDN16 CASR KCNJ1 EGF CLDN10 FXYD2 PAX8 KRT8 EPCAM",
    "distal tubule": "SLC12A3 TRPM6 CALB1 PVALB KLHL3 TRPV5 EGF EPCAM FXYD2 KRT18 PAX8",
    "principal cell": "AQP2 AQP3 SCNN1G SCNN1B FXYD4 HSD11B2 GATA3 KCNJ1 CDH1 EPCAM KRT8 KRT18",
    "intercalated cell": "ATP6V0D2 ATP6V1G3 SLC4A1 SLC26A4 FOXI1 CA2 KIT ATP6V1B1 EPCAM KRT18",
    "endothelium": "PECAM1 VWF CDH5 KDR FLT1 ENG PLVAP EMCN RGS5 CLDN5 ACKR1 AQP1",
    "smooth muscle": "ACTA2 MYH11 TAGLN CNN1 MYLK DES RGS5 NOTCH3 MCAM PDGFRB",
    "fibroblast": "COL1A1 COL1A2 COL3A1 DCN LUM PDGFRA PDGFRB FBLN1 THY1 COL6A3 MMP2",
    "tumour": "CA9 NDUFA4L2 VEGFA EGLN3 ANGPTL4 PAX8 PAX2 CD70 CP SLC17A3 NNMT VIM KRT18 KRT8 IGFBP3 PLIN2",
    "macrophage": "CD68 CD163 MRC1 CSF1R C1QA C1QB C1QC LYZ HLA-DRA CD14 APOE TREM2 FCGR3A PTPRC",
    "CD8 T cell": "CD3D CD3E CD8A CD8B TRAC CCL5 CD69 GZMK GZMA PTPRC NKG7",
    "CD4 T cell": "CD3D CD3E CD4 TRAC IL7R CCR7 LTB TCF7 FOXP3 CTLA4 CXCL13 CD28 PTPRC",
    "B cell": "MS4A1 CD79A CD79B CD19 BANK1 PAX5 CXCR5 CR2 TNFRSF13C HLA-DRA LTB PTPRC",
    "plasma cell": "MZB1 JCHAIN XBP1 SDC1 IGHG1 IGKC PRDM1 TNFRSF17 CD79A",
    "NK cell": "KLRD1 KLRF1 NCR1 GNLY NKG7 FCGR3A XCL1 PRF1 TYROBP PTPRC",
    "mast cell": "TPSAB1 CPA3 MS4A2 KIT HDC GATA2 IL1RL1 CMA1 PTPRC",
    "neutrophil": "CSF3R FCGR3B CXCR2 S100A8 S100A9 S100A12 MMP9 CXCL8 LYZ PTPRC",
}
TYPES = tuple(MARKERS)

# Hypoxia, by the types that answer to it; "all" answers in every type.
HYPOXIA = {
    "all": "LDHA PFKFB3 SLC2A1 NDRG1 ADM BNIP3 P4HA1 PDK1 PGK1 ALDOA ENO1 HK2 ANKRD37 DDIT4 VEGFA",
    "tumour": "CA9 VEGFA MMP14 ANGPTL4 EGLN3 LOX SERPINE1 STC2 FN1 TGFBI CXCR4",
    "macrophage": "SPP1 MARCO FN1 MMP9 VCAN IL1B CXCL8",
    "endothelium": "ANGPT2 ESM1 PLVAP APLN CXCR4 PGF",
    "fibroblast": "FAP POSTN COL11A1 MMP11 LOX INHBA MMP14 ACTA2",
}
CORE = "CA9 LDHA MMP14 PFKFB3"  # of these, the ones that rise most in tumour cells
PSEUDOHYPOXIC = "CA9 VEGFA EGLN3 ANGPTL4"  # on in every tumour cell: VHL is lost in both patients

# States of CD8 T cells. The sham state has marks of its own and does nothing to its neighbours.
CYTOTOXIC, EXHAUSTED, SHAM = "cytotoxic", "exhausted", "sham"
STATES = {
    CYTOTOXIC: "GZMB PRF1 IFNG GNLY FASLG TNF",
    EXHAUSTED: "PDCD1 HAVCR2 LAG3 TIGIT TOX ENTPD1 CXCL13 CTLA4",
    SHAM: "KLRB1 ZBTB16 SLC4A10 CCR6",
}
INDUCED = "CXCL9 CXCL10 IDO1 CD274 STAT1 IRF1 GBP1 HLA-DRA "  # in macrophages beside cytotoxic cells

# Programmes that rise and fall smoothly over the tissue.
INVASION = "MMP14 VIM FN1 TGFBI ITGB6 PLAUR S100A6"  # tumour cells of an invasive margin
ACTIVATED_STROMA = "FAP POSTN ACTA2 COL11A1 MMP11 "  # fibroblasts around the tumour
LATE_PROXIMAL = "SLC22A7 SLC7A13 MT1G MT2A "  # from the S1 to the S3 part of the proximal tubule
INJURY = "HAVCR1 LCN2 VCAM1 SPP1 KRT19 CD24 IGFBP7"  # tubules in fibrous stroma
CYCLE = "MKI67 TOP2A PCNA CDK1 CCNB1 "  # a few percent of tumour and germinal-centre cells

HOUSEKEEPING = "ACTB GAPDH B2M MALAT1 EEF1A1 TPT1 RPLP0 FTL FTH1 UBC HSPA8 TMSB4X HLA-A HLA-B JUN FOS"
# Genes that no type of this tissue marks: an imaging panel always has some.
BYSTANDERS = "ALB SFTPC KRT5 MBP MUC2 ESR1 TP63 CCND1 CDKN2A EGFR MET IL6 CCL2 CCL21"


def _unique() -> tuple[str, ...]:
    lists = [*MARKERS.values(), *HYPOXIA.values(), *STATES.values(), INDUCED, INVASION, ACTIVATED_STROMA]
    lists += [LATE_PROXIMAL, INJURY, CYCLE, HOUSEKEEPING, BYSTANDERS]
    return tuple(dict.fromkeys(" ".join(lists).split()))


GENES = _unique()
